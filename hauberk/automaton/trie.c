// SPDX-License-Identifier: Apache-2.0
/*
 * From keys and shapes to the arrays of one minimal automaton, without ever minimising it: compile.py says how and why.
 */
#include "places.h"

#include <string.h>

/* States of a chain that is worth to be noted. */
#define SHORTEST_CHAIN 3

/* What leads to a state: an index in `targets`, START, or DEFAULT_OF(s) for the default of the state s. */
#define START (-1)
#define DEFAULT_OF(state) (-2 - (int64_t)(state))

/*
 * What is left to do of the trie: the node that the keys from `low` to `high` share after `depth` bytes, which is at
 * `place`. `edge` leads there. Without a place: a layer to close.
 */
struct node {
	struct place *place;
	int64_t edge;
	uint32_t low, high, depth;
};

/* The row of a node of the trie: where `to` is NULL, a child. Without a default all bytes lead to children. */
struct moves {
	uint32_t n;
	uint8_t symbol[256];
	struct place *to[256];
	struct place *usual;
};

static void enter(struct core *core, int64_t edge, uint32_t state)
{
	if (edge >= 0)
		core->out->targets[edge] = state;
	else if (edge == START)
		core->out->start = state;
	else
		core->out->usual[DEFAULT_OF(edge)] = state;
}

/* The row of a node at `place`, which is known, with children by `bytes`, which ascend. */
static void overlay(const struct place *place, const uint8_t *bytes, uint32_t n, struct moves *m)
{
	uint32_t kept = 0;

	m->n = 0;
	m->usual = place->usual;
	for (uint32_t i = 0, j = 0; i < place->count || j < n; m->n++) {
		bool child = j < n && (i == place->count || bytes[j] <= place->symbols[i]);

		m->symbol[m->n] = child ? bytes[j] : place->symbols[i];
		m->to[m->n] = child ? NULL : place->targets[i];
		i += i < place->count && place->symbols[i] == m->symbol[m->n];
		j += child;
	}
	if (m->n < 255)
		return;
	/* No byte is left for the default, which has to be the target of one. */
	m->usual = NULL;
	for (uint32_t i = 0; i < m->n; i++) {
		if (!m->usual)
			m->usual = m->to[i];
		if (m->to[i] && m->to[i] == m->usual)
			continue;
		m->symbol[kept] = m->symbol[i];
		m->to[kept++] = m->to[i];
	}
	m->n = kept;
}

/* Writes the row of the state `state`; returns the index of its first edge. Those to children are left at 0. */
static uint32_t write_moves(struct core *core, uint32_t state, const struct moves *m)
{
	struct core_tables *t = core->out;
	uint32_t first = t->edges;

	room_for(core, 0, m->n);
	t->usual[state] = m->usual ? m->usual->state : 0;
	t->first[state] = first;
	t->count[state] = (uint8_t)m->n;
	for (uint32_t i = 0; i < m->n; i++, t->edges++) {
		t->symbols[t->edges] = m->symbol[i];
		t->targets[t->edges] = m->to[i] ? m->to[i]->state : 0;
	}
	return first;
}

/*
 * Appends nodes at the absorbing `place`, one for each byte of `text`, where nothing follows but the place. `edge`
 * leads to the first. Returns the edge out of the last byte's.
 */
static int64_t tail(struct core *core, struct place *place, const uint8_t *text, uint32_t n, int64_t edge)
{
	struct core_tables *t = core->out;
	uint32_t usual = refer(core, place), state = new_states(core, n), begin;

	room_for(core, 0, n);
	enter(core, edge, state);
	for (uint32_t i = 0; i < n; i++) {
		t->usual[state + i] = usual;
		t->first[state + i] = t->edges + i;
		t->count[state + i] = 1;
		t->accept[state + i] = place->accept;
		t->symbols[t->edges + i] = text[i];
		t->targets[t->edges + i] = state + i + 1;
	}
	t->edges += n;
	/* The start is left out: it is entered with nothing read. */
	begin = state + (edge == START);
	if (state + n - begin >= SHORTEST_CHAIN) {
		t->chain = with_room(core, t->chain, &core->chains_room, 2 * t->chains, 2, sizeof(*t->chain));
		t->chain[2 * t->chains] = begin;
		t->chain[2 * t->chains++ + 1] = state + n - begin;
	}
	return (int64_t)t->edges - 1;
}

/*
 * Appends nodes with one child each, by the bytes of `text`, the first at `*place`. `edge` leads to the first; returns
 * the edge that leads to the last child, which is then at `*place`.
 */
static int64_t chain(struct core *core, struct place **place, const uint8_t *text, uint32_t n, int64_t edge)
{
	struct place *at = *place;
	uint32_t alive, state;
	struct moves m;

	know(core, at);
	for (alive = 0; alive < n && !is_absorbing(at); alive++) {
		overlay(at, text + alive, 1, &m);
		for (uint32_t i = 0; i < m.n; i++)
			if (m.to[i])
				refer(core, m.to[i]);
		at = place_after(at, text[alive]);
		know(core, at);
		refer(core, m.usual);
	}
	at = *place;
	state = new_states(core, alive);
	for (uint32_t i = 0; i < alive; i++, state++) {
		overlay(at, text + i, 1, &m);
		core->out->accept[state] = at->accept;
		enter(core, edge, state);
		edge = write_moves(core, state, &m);
		edge += (const uint8_t *)memchr(m.symbol, text[i], m.n) - m.symbol;
		at = place_after(at, text[i]);
	}
	*place = at;
	return alive < n ? tail(core, at, text + alive, n - alive, edge) : edge;
}

static void push_node(struct core *core, struct node node)
{
	core->todo = with_room(core, core->todo, &core->todo_room, core->todos, 1, sizeof(*core->todo));
	core->todo[core->todos++] = node;
}

/* Key `i`, and its length. */
static const uint8_t *key(const struct core *core, uint32_t i, uint32_t *length)
{
	uint32_t begin = i ? core->keys->end[i - 1] : 0;

	*length = core->keys->end[i] - begin;
	return core->keys->text + begin;
}

static uint8_t byte_of(const struct core *core, uint32_t i, uint32_t depth)
{
	return core->keys->text[(i ? core->keys->end[i - 1] : 0) + depth];
}

/* Writes the row of `state`, which stands for `node`, and leaves its children to do, the lowest byte's first. */
static void branch(struct core *core, uint32_t state, const struct node *node)
{
	uint8_t bytes[256];
	uint32_t begins[257], n = 0, edge;
	struct moves m;

	for (uint32_t low = node->low; low < node->high; n++) {
		uint32_t high = node->high;

		begins[n] = low;
		bytes[n] = byte_of(core, low++, node->depth);
		/* The first key with another byte. */
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (byte_of(core, middle, node->depth) == bytes[n])
				low = middle + 1;
			else
				high = middle;
		}
	}
	begins[n] = node->high;
	know(core, node->place);
	overlay(node->place, bytes, n, &m);
	if (m.usual) {
		refer(core, m.usual);
	} else {
		/* All bytes lead to children, so the first one's state is the default. */
		push_node(core, (struct node){ place_after(node->place, bytes[0]), DEFAULT_OF(state), begins[0],
					       begins[1], node->depth + 1 });
		m.n--;
		memmove(m.symbol, m.symbol + 1, m.n);
		memmove(m.to, m.to + 1, m.n * sizeof(*m.to));
	}
	for (uint32_t i = 0; i < m.n; i++)
		if (m.to[i])
			refer(core, m.to[i]);
	edge = write_moves(core, state, &m);
	for (uint32_t i = n; i--;) {
		const uint8_t *at = memchr(m.symbol, bytes[i], m.n);

		if (at)
			push_node(core, (struct node){ place_after(node->place, bytes[i]), edge + (at - m.symbol),
						       begins[i], begins[i + 1], node->depth + 1 });
	}
}

static void visit(struct core *core, struct node node)
{
	uint32_t length, last, shared, accept;
	const uint8_t *text = key(core, node.low, &length), *other = key(core, node.high - 1, &last);
	bool literal = false;

	know(core, node.place);
	for (shared = node.depth; shared < length && shared < last && text[shared] == other[shared];)
		shared++;
	if (shared > node.depth)
		node.edge = chain(core, &node.place, text + node.depth, shared - node.depth, node.edge);
	node.depth = shared;
	accept = node.place->accept;
	if (length == shared) {
		int32_t shape = core->keys->shape[node.low];

		if (shape >= 0) {
			struct layer *layer = open_layer(core, node.place->layer, (uint32_t)shape, node.low);

			push_node(core, (struct node){ 0 });
			node.place = place_in(core, layer, node.place, 0);
			accept = node.place->accept;
		}
		literal = core->keys->literal[node.low];
		if (literal)
			accept = new_set(core, accept, node.low, 0);
		node.low++;
	}
	if (node.low == node.high && !literal) {
		enter(core, node.edge, refer(core, node.place));
	} else {
		uint32_t state = new_states(core, 1);

		core->out->accept[state] = accept;
		enter(core, node.edge, state);
		branch(core, state, &node);
	}
	settle(core);
}

void build(struct core *core)
{
	refer(core, &core->dead);
	if (core->keys->n)
		push_node(core, (struct node){ &core->dead, START, 0, core->keys->n, 0 });
	while (core->todos) {
		struct node node = core->todo[--core->todos];

		if (node.place)
			visit(core, node);
		else
			close_layer(core);
	}
	settle(core);
}
