// SPDX-License-Identifier: Apache-2.0
/*
 * Makes places, each only once, and the accept sets that go with them. See places.h.
 */
#include "places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void fail(struct core *core, int error)
{
	core->error = error;
	longjmp(core->failed, 1);
}

void *with_room(struct core *core, void *array, uint32_t *room, uint32_t count, uint32_t more, size_t size)
{
	uint64_t wanted = (uint64_t)count + more;
	void *grown;

	if (wanted <= *room)
		return array;
	wanted += wanted / 2 + 16;
	if (wanted > UINT32_MAX)
		fail(core, -ENOMEM);
	grown = realloc(array, wanted * size);
	if (!grown)
		fail(core, -ENOMEM);
	*room = (uint32_t)wanted;
	return grown;
}

/* --- maps --- */

static uint32_t map_slot(const struct map *map, uint64_t a, uint64_t b)
{
	uint64_t hash = (a ^ b * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
	uint32_t at = (uint32_t)(hash >> 32) & (map->size - 1);

	while (map->at[at].value && (map->at[at].a != a || map->at[at].b != b))
		at = (at + 1) & (map->size - 1);
	return at;
}

/* What is under (a, b), or 0. */
static uint64_t map_get(const struct map *map, uint64_t a, uint64_t b)
{
	return map->size ? map->at[map_slot(map, a, b)].value : 0;
}

/* Room for one more, so that map_put() cannot fail. */
static void map_reserve(struct core *core, struct map *map)
{
	struct map grown = { .used = map->used, .size = map->size ? 2 * map->size : 8 };

	if (map->size && map->used < map->size - map->size / 4)
		return;
	grown.at = grown.size ? calloc(grown.size, sizeof(*grown.at)) : NULL;
	if (!grown.at)
		fail(core, -ENOMEM);
	for (uint32_t i = 0; i < map->size; i++)
		if (map->at[i].value)
			grown.at[map_slot(&grown, map->at[i].a, map->at[i].b)] = map->at[i];
	free(map->at);
	*map = grown;
}

static void map_put(struct map *map, uint64_t a, uint64_t b, uint64_t value)
{
	uint32_t at = map_slot(map, a, b);

	map->at[at].a = a;
	map->at[at].b = b;
	map->at[at].value = value;
	map->used++;
}

/* --- accept sets --- */

uint32_t new_set(struct core *core, uint32_t parent, uint32_t key, uint32_t own)
{
	struct core_tables *t = core->out;
	uint32_t room = core->sets_room;

	t->set_parent = with_room(core, t->set_parent, &room, t->sets, 1, sizeof(*t->set_parent));
	room = core->sets_room;
	t->set_key = with_room(core, t->set_key, &room, t->sets, 1, sizeof(*t->set_key));
	t->set_own = with_room(core, t->set_own, &core->sets_room, t->sets, 1, sizeof(*t->set_own));
	t->set_parent[t->sets] = parent;
	t->set_key[t->sets] = key;
	t->set_own[t->sets] = own;
	return t->sets++;
}

/* The number of the accept set of a place, by those of the outer place and of the shape. */
static uint32_t accept_in(struct core *core, struct layer *layer, uint32_t outer, uint32_t own)
{
	uint64_t found;

	if (!own)
		return outer;
	found = map_get(&layer->accepts, outer, own);
	if (!found) {
		map_reserve(core, &layer->accepts);
		/* No set that a layer makes has the number 0. */
		found = new_set(core, outer, layer->key, own);
		map_put(&layer->accepts, outer, own, found);
	}
	return (uint32_t)found;
}

/* --- layers and places --- */

struct layer *open_layer(struct core *core, struct layer *below, uint32_t shape, uint32_t key)
{
	struct layer *layer = calloc(1, sizeof(*layer));

	if (!layer)
		fail(core, -ENOMEM);
	layer->below = below;
	layer->shape = shape;
	layer->key = key;
	layer->opened_before = core->opened;
	core->opened = layer;
	return layer;
}

void close_layer(struct core *core)
{
	struct layer *layer = core->opened;
	struct place *next;

	core->opened = layer->opened_before;
	for (struct place *place = layer->all; place; place = next) {
		next = place->next;
		free(place->targets);
		free(place);
	}
	free(layer->places.at);
	free(layer->accepts.at);
	free(layer);
}

struct place *place_in(struct core *core, struct layer *layer, struct place *outer, uint32_t inner)
{
	const struct core_shapes *shapes = core->shapes;
	struct place *place;

	if (shapes->dead[layer->shape] == (int64_t)inner)
		return outer;
	place = (struct place *)(uintptr_t)map_get(&layer->places, (uintptr_t)outer, inner);
	if (place)
		return place;
	map_reserve(core, &layer->places);
	place = calloc(1, sizeof(*place));
	if (!place)
		fail(core, -ENOMEM);
	place->next = layer->all;
	layer->all = place;
	place->layer = layer;
	place->outer = outer;
	place->inner = inner;
	place->state = NO_STATE;
	map_put(&layer->places, (uintptr_t)outer, inner, (uintptr_t)place);
	place->accept = accept_in(core, layer, outer->accept, shapes->accept[shapes->begin[layer->shape] + inner]);
	return place;
}

struct place *place_after(const struct place *place, uint8_t byte)
{
	const uint8_t *found = place->count ? memchr(place->symbols, byte, place->count) : NULL;

	return found ? place->targets[found - place->symbols] : place->usual;
}

bool is_absorbing(const struct place *place)
{
	return place->usual == place && !place->count;
}

/* The row of `place`, by those of its outer place, which is known, and of its shape. */
static void work_out(struct core *core, struct place *place)
{
	const struct core_shapes *shapes = core->shapes;
	const struct place *outer = place->outer;
	struct layer *layer = place->layer;
	uint32_t q = shapes->begin[layer->shape] + place->inner;
	const uint8_t *symbols = shapes->symbols + shapes->first[q];
	const uint32_t *targets = shapes->targets + shapes->first[q];
	uint32_t n = shapes->first[q + 1] - shapes->first[q];
	struct place *to[256], *usual = NULL;
	uint8_t by[256];
	uint32_t all = n, kept = 0;

	for (uint32_t i = 0; i < outer->count; i++)
		all += !n || !memchr(symbols, outer->symbols[i], n);
	/* If no byte is left for the default, the first one's target will be it. */
	if (all < 255)
		usual = place_in(core, layer, outer->usual, shapes->usual[q]);
	for (uint32_t i = 0, j = 0; i < outer->count || j < n;) {
		bool left = i < outer->count && (j == n || outer->symbols[i] <= symbols[j]);
		bool right = j < n && (i == outer->count || symbols[j] <= outer->symbols[i]);
		uint8_t symbol = left ? outer->symbols[i] : symbols[j];
		struct place *next = place_in(core, layer, left ? outer->targets[i] : outer->usual,
					      right ? targets[j] : shapes->usual[q]);

		i += left;
		j += right;
		if (!usual)
			usual = next;
		if (next == usual)
			continue;
		by[kept] = symbol;
		to[kept++] = next;
	}
	if (kept) {
		place->targets = malloc(kept * (sizeof(*to) + 1));
		if (!place->targets)
			fail(core, -ENOMEM);
		place->symbols = (uint8_t *)(place->targets + kept);
		memcpy(place->targets, to, kept * sizeof(*to));
		memcpy(place->symbols, by, kept);
	}
	place->count = kept;
	place->usual = usual;
}

void know(struct core *core, struct place *place)
{
	while (!place->usual) {
		struct place *at = place;

		while (!at->outer->usual)
			at = at->outer;
		work_out(core, at);
	}
}
