// SPDX-License-Identifier: Apache-2.0
/*
 * The way in, and what needs no more than the finished arrays. See core.h for what each function promises.
 */
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "sound.h"

static void note_absorbing(struct core *core)
{
	struct core_tables *t = core->out;
	uint32_t room = 0;

	for (uint32_t s = 0; s < t->states; s++) {
		if (t->usual[s] != s || t->count[s])
			continue;
		t->absorbs = with_room(core, t->absorbs, &room, t->absorbing, 1, sizeof(*t->absorbs));
		t->absorbs[t->absorbing++] = s;
	}
}

static void attempt(struct core *core)
{
	if (setjmp(core->failed))
		return;
	new_set(core, 0, 0, 0);
	build(core);
	note_absorbing(core);
}

int core_compile(const struct core_keys *keys, const struct core_shapes *shapes, uint32_t limit,
		 struct core_tables *out)
{
	struct core core = { .keys = keys, .shapes = shapes, .out = out, .limit = limit };

	memset(out, 0, sizeof(*out));
	/* The two greatest numbers are no states. */
	if (!limit || limit > UINT32_MAX - 2 || !keys_are_sound(keys, shapes) || !shapes_are_sound(shapes))
		return -EINVAL;
	core.dead.usual = &core.dead;
	core.dead.state = NO_STATE;
	attempt(&core);
	release(&core);
	return core.error;
}

void core_free_tables(struct core_tables *t)
{
	void *all[] = { t->usual, t->first,   t->accept,     t->targets, t->count,  t->symbols,
			t->chain, t->absorbs, t->set_parent, t->set_key, t->set_own };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		free(all[i]);
	memset(t, 0, sizeof(*t));
}

static bool leads_to_live(const struct core_tables *t, uint32_t state, const uint8_t *live)
{
	if (live[t->usual[state]])
		return true;
	for (uint32_t i = 0; i < t->count[state]; i++)
		if (live[t->targets[t->first[state] + i]])
			return true;
	return false;
}

int core_live_below(const struct core_tables *t, const uint8_t *meets, uint8_t *below)
{
	uint8_t *live;
	bool changed;

	if (!tables_are_sound(t))
		return -EINVAL;
	live = malloc(t->states ? t->states : 1);
	if (!live)
		return -ENOMEM;
	for (uint32_t s = 0; s < t->states; s++)
		live[s] = !!meets[t->accept[s]];
	/* Backwards: states are numbered nearly in the order in which they are reached, so that a few rounds do. */
	do {
		changed = false;
		for (uint32_t s = t->states; s--;) {
			if (live[s] || !leads_to_live(t, s, live))
				continue;
			live[s] = 1;
			changed = true;
		}
	} while (changed);
	for (uint32_t s = 0; s < t->states; s++) {
		const uint8_t *symbols = t->symbols + t->first[s];
		const uint8_t *slash = t->count[s] ? memchr(symbols, '/', t->count[s]) : NULL;

		below[s] = live[slash ? t->targets[t->first[s] + (slash - symbols)] : t->usual[s]];
	}
	free(live);
	return 0;
}

int core_spread(const struct core_tables *t, const uint32_t *of_set, const uint8_t *more, uint32_t *out)
{
	if (!tables_are_sound(t))
		return -EINVAL;
	for (uint32_t s = 0; s < t->states; s++)
		out[s] = of_set[t->accept[s]] | more[s];
	return 0;
}
