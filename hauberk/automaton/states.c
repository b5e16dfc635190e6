// SPDX-License-Identifier: Apache-2.0
/*
 * Gives places their states, each when something first leads to it. See places.h.
 *
 * The numbers of states depend on the order in which they are made, and the image depends on these numbers.
 */
#include "places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A layer whose states are being made: its places in breadth-first order, and the edge that is looked at. */
struct frame {
	struct place **order;
	uint32_t n, room, at, edge;
};

#define IS_QUEUED (NO_STATE - 1)

void room_for(struct core *core, uint32_t states, uint32_t edges)
{
	struct core_tables *t = core->out;
	uint32_t room = core->states_room;

	t->usual = with_room(core, t->usual, &room, t->states, states, sizeof(*t->usual));
	room = core->states_room;
	t->first = with_room(core, t->first, &room, t->states, states, sizeof(*t->first));
	room = core->states_room;
	t->accept = with_room(core, t->accept, &room, t->states, states, sizeof(*t->accept));
	t->count = with_room(core, t->count, &core->states_room, t->states, states, sizeof(*t->count));
	room = core->edges_room;
	t->targets = with_room(core, t->targets, &room, t->edges, edges, sizeof(*t->targets));
	t->symbols = with_room(core, t->symbols, &core->edges_room, t->edges, edges, sizeof(*t->symbols));
}

uint32_t new_states(struct core *core, uint32_t n)
{
	struct core_tables *t = core->out;
	uint32_t state = t->states;

	if (n > core->limit - state)
		fail(core, -E2BIG);
	room_for(core, n, 0);
	memset(t->usual + state, 0, n * sizeof(*t->usual));
	memset(t->first + state, 0, n * sizeof(*t->first));
	memset(t->accept + state, 0, n * sizeof(*t->accept));
	memset(t->count + state, 0, n);
	t->states += n;
	return state;
}

/* Writes the row of a place, all of whose targets have states. */
static void write_row(struct core *core, const struct place *place)
{
	struct core_tables *t = core->out;

	room_for(core, 0, place->count);
	t->usual[place->state] = place->usual->state;
	t->first[place->state] = t->edges;
	t->count[place->state] = (uint8_t)place->count;
	for (uint32_t i = 0; i < place->count; i++, t->edges++) {
		t->symbols[t->edges] = place->symbols[i];
		t->targets[t->edges] = place->targets[i]->state;
	}
}

static void push_frame(struct core *core, struct place *place)
{
	struct frame *frame;

	core->frames = with_room(core, core->frames, &core->frame_room, core->depth, 1, sizeof(*core->frames));
	frame = &core->frames[core->depth++];
	memset(frame, 0, sizeof(*frame));
	frame->order = with_room(core, NULL, &frame->room, 0, 1, sizeof(*frame->order));
	frame->order[frame->n++] = place;
	place->state = IS_QUEUED;
}

/* Gives states and rows to the places of a frame, all of which lead to each other or have states. */
static void finish_frame(struct core *core, struct frame *frame)
{
	uint32_t base = new_states(core, frame->n);

	for (uint32_t i = 0; i < frame->n; i++)
		frame->order[i]->state = base + i;
	for (uint32_t i = 0; i < frame->n; i++) {
		core->out->accept[base + i] = frame->order[i]->accept;
		write_row(core, frame->order[i]);
	}
	frame->order[0]->layer->copied = true;
	free(frame->order);
	core->depth--;
}

/*
 * Whether a place that has no state is the first that is wanted of a layer upon another one. Such a place brings with
 * it all that it leads to in its layer, with rows and side by side, so that what is below a directory lies together.
 */
static bool brings_layer(const struct place *place)
{
	return place->layer && place->layer->below && !place->layer->copied;
}

/* Gives `place` a state. Its row is written by settle(), if it is not written here. */
static void make_state(struct core *core, struct place *place)
{
	uint32_t floor = core->depth;

	if (!brings_layer(place)) {
		place->state = new_states(core, 1);
		core->out->accept[place->state] = place->accept;
		core->pending =
			with_room(core, core->pending, &core->pending_room, core->pendings, 1, sizeof(*core->pending));
		core->pending[core->pendings++] = place;
		return;
	}
	push_frame(core, place);
	while (core->depth > floor) {
		struct frame *frame = &core->frames[core->depth - 1];
		struct place *at, *to;

		if (frame->at == frame->n) {
			finish_frame(core, frame);
			continue;
		}
		at = frame->order[frame->at];
		know(core, at);
		to = frame->edge ? at->targets[frame->edge - 1] : at->usual;
		if (to->state == NO_STATE && to->layer == at->layer) {
			if (frame->n > core->limit)
				fail(core, -E2BIG);
			frame->order = with_room(core, frame->order, &frame->room, frame->n, 1, sizeof(*frame->order));
			frame->order[frame->n++] = to;
			to->state = IS_QUEUED;
		} else if (to->state == NO_STATE && brings_layer(to)) {
			/* The same edge comes again when that is done. */
			push_frame(core, to);
			continue;
		} else if (to->state == NO_STATE) {
			make_state(core, to);
		}
		if (frame->edge++ == at->count) {
			frame->edge = 0;
			frame->at++;
		}
	}
}

uint32_t refer(struct core *core, struct place *place)
{
	if (place->state == NO_STATE)
		make_state(core, place);
	return place->state;
}

void settle(struct core *core)
{
	while (core->pendings) {
		struct place *place = core->pending[--core->pendings];

		know(core, place);
		/* All before the row is begun: to refer may make states and rows. */
		refer(core, place->usual);
		for (uint32_t i = 0; i < place->count; i++)
			refer(core, place->targets[i]);
		write_row(core, place);
	}
}

void release(struct core *core)
{
	while (core->opened)
		close_layer(core);
	while (core->depth)
		free(core->frames[--core->depth].order);
	free(core->frames);
	free(core->todo);
	free(core->pending);
}
