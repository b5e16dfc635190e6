/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a path can stand in the shapes that are alive: the states of the automaton off the trie (see trie.c).
 *
 * Shapes come alive one within the other: those that begin at `/etc` while those that begin at `/` go on. So a place is
 * a state of the innermost shape upon a place of the outer ones, and once the innermost shape is dead, it is that
 * place.
 */
#ifndef HAUBERK_AUTOMATON_PLACES_H
#define HAUBERK_AUTOMATON_PLACES_H
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"

/* What is found under a pair. Nothing ever depends on the order in it. */
struct map {
	struct {
		uint64_t a, b;
		uint64_t value;
	} *at;
	uint32_t used, size;
};

/* The shapes that begin at one key, joined, and alive upon the places that were so before. */
struct layer {
	/* The innermost of the layers that are alive where this one begins. */
	struct layer *below;
	/* The layer that was opened before this one and is closed after it. */
	struct layer *opened_before;
	struct place *all;
	uint32_t shape, key;
	/* By outer place and state of the shape. */
	struct map places;
	/* Numbers of accept sets, by those of the outer place and of the shape. */
	struct map accepts;
	/* Whether states were made for the places that its first one leads to (see states.c). */
	bool copied;
};

/* One combination of live states; its row once know() has worked it out, until then `usual` is NULL. */
struct place {
	struct layer *layer;
	struct place *outer, *next;
	uint32_t inner, accept;
	/* The state that stands for this place, NO_STATE as long as nothing leads there. */
	uint32_t state;
	uint32_t count;
	struct place *usual;
	/* In one piece with the symbols. */
	struct place **targets;
	uint8_t *symbols;
};

#define NO_STATE UINT32_MAX

struct core {
	/* Where fail() leads, and with what. */
	jmp_buf failed;
	int error;
	const struct core_keys *keys;
	const struct core_shapes *shapes;
	struct core_tables *out;
	uint32_t limit;
	uint32_t states_room, edges_room, chains_room, sets_room;
	struct place dead;
	struct layer *opened;
	/* Places that have a state, whose row is still to be written. */
	struct place **pending;
	uint32_t pendings, pending_room;
	/* What is left to do of the trie, and of layers whose states are being made. */
	struct node *todo;
	uint32_t todos, todo_room;
	struct frame *frames;
	uint32_t depth, frame_room;
};

/* Leaves core_compile(). Everything that was allocated hangs on the core. */
_Noreturn void fail(struct core *core, int error);
/* `array` with room for `count` + `more` items of `size` bytes, and then some. */
void *with_room(struct core *core, void *array, uint32_t *room, uint32_t count, uint32_t more, size_t size);

/* --- places.c --- */

/* The number of the accept set `parent` with what only this caller adds to it (see core_tables): a new one. */
uint32_t new_set(struct core *core, uint32_t parent, uint32_t key, uint32_t own);
struct layer *open_layer(struct core *core, struct layer *below, uint32_t shape, uint32_t key);
/* Nothing will ask for the layer that was opened last any more. */
void close_layer(struct core *core);
/* The place of the shape's state `inner` upon `outer`. */
struct place *place_in(struct core *core, struct layer *layer, struct place *outer, uint32_t inner);
/* Works out the row of `place`, those of the outer places first. */
void know(struct core *core, struct place *place);
/* The place after `byte`; the row must be known. */
struct place *place_after(const struct place *place, uint8_t byte);
/* Whether nothing leads away from here; the row must be known. */
bool is_absorbing(const struct place *place);

/* --- states.c --- */

/* Lets there be room for so many more. */
void room_for(struct core *core, uint32_t states, uint32_t edges);
/* `n` new states without rows, the first of which is returned. */
uint32_t new_states(struct core *core, uint32_t n);
/* The state that stands for `place` off the trie. */
uint32_t refer(struct core *core, struct place *place);
/* Writes the rows of all states that refer() made. */
void settle(struct core *core);
/* Frees what hangs on the core, but for what it was to make. */
void release(struct core *core);

/* --- trie.c --- */

/* Makes the automaton of a core whose `dead` place is set. */
void build(struct core *core);

#endif
