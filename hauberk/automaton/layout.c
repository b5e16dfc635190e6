// SPDX-License-Identifier: Apache-2.0
/*
 * Where the rows of a table lie: each in the gaps that others leave.
 *
 * Most rows have a single edge that leads to the next state: the tails of paths, chains. They are put without any
 * search and nearly without gaps: if rows are sorted by their symbols, then a row that begins at the next free slot has
 * its edge beyond all edges so far. They are sorted within batches, so that one path's states still lie close to each
 * other. All other rows are put, in the order of their states, where they first fit.
 */
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sound.h"

#define SLOT 8
#define MAX_BYTE 255

/* How many slots behind the last row placed a gap is still tried. */
#define BEHIND 128
/* Slots by which the image grows. */
#define GROWTH (1 << 16)
/* States that are sorted together. */
#define BATCH (1 << 14)
/* Free slots in a row that are worth using: the layout would fray into ever smaller pieces. */
#define WORTHWHILE 16

/* Slots that rows can reach into from behind: BEHIND, and a row of its own length. */
#define TAKEN_WORDS ((BEHIND + MAX_BYTE + 1) / 64)

/* Which slots are taken, from `floor` on; nothing is placed before. */
struct gaps {
	uint64_t floor;
	uint64_t taken[TAKEN_WORDS];
};

/* Rows side by side whose only edges are by `symbol`. */
struct run {
	uint64_t slot;
	uint32_t n;
	uint8_t symbol;
};

struct layout {
	const struct core_tables *t;
	const uint32_t *accepts;
	uint32_t *references;
	/* The offset at which the image begins that is made here, whose slots count from 0. */
	uint64_t base;
	struct core_image *out;
	uint64_t room;
	/* The edges out of chains: their slots, and the states to which they lead. */
	uint64_t *end_slot;
	uint32_t *end_state;
	uint32_t ends;
	/* For the states of a batch: what they are, by symbol, and where their rows lie. */
	uint32_t *state, *order;
	uint64_t *row;
	struct run *runs;
};

/* --- the image --- */

/* Lets there be so many slots. */
static int grow(struct layout *l, uint64_t slots)
{
	uint32_t *words;

	if (slots <= l->room)
		return 0;
	if (l->base + SLOT * slots > 1ULL << 32)
		return -EFBIG;
	slots += GROWTH;
	words = realloc(l->out->words, SLOT * slots);
	if (!words)
		return -ENOMEM;
	memset(words + 2 * l->room, 0, SLOT * (slots - l->room));
	l->out->words = words;
	l->room = slots;
	return 0;
}

static uint32_t reference(const struct layout *l, uint64_t slot)
{
	return (uint32_t)(l->base + SLOT * slot);
}

static void fill(struct layout *l, uint64_t slot, uint32_t low, uint32_t high)
{
	l->out->words[2 * slot] = low;
	l->out->words[2 * slot + 1] = high;
}

/* --- rows with any edges --- */

/* The 64 bits from bit `at` on. */
static uint64_t bits_from(const uint64_t *taken, uint32_t at)
{
	uint32_t word = at / 64, shift = at % 64;
	uint64_t low = word < TAKEN_WORDS ? taken[word] >> shift : 0;
	uint64_t high = shift && word + 1 < TAKEN_WORDS ? taken[word + 1] << (64 - shift) : 0;

	return low | high;
}

/* Takes the slots of a row where it first fits; returns the first slot. */
static uint64_t place(struct gaps *gaps, const uint8_t *symbols, uint32_t n)
{
	uint64_t taken[2 * TAKEN_WORDS] = { 0 }, slot;
	uint32_t at, word = 0;

	/* Beyond the last word everything is free, so that the row ends within twice as many. */
	for (;; word++) {
		uint64_t barred = bits_from(gaps->taken, 64 * word);

		for (uint32_t i = 0; i < n && ~barred; i++)
			barred |= bits_from(gaps->taken, 64 * word + symbols[i]);
		if (!~barred)
			continue;
		at = 64 * word + (uint32_t)__builtin_ctzll(~barred);
		break;
	}
	memcpy(taken, gaps->taken, sizeof(gaps->taken));
	taken[at / 64] |= 1ULL << at % 64;
	for (uint32_t i = 0; i < n; i++)
		taken[(at + symbols[i]) / 64] |= 1ULL << (at + symbols[i]) % 64;
	slot = gaps->floor + at;
	if (at > BEHIND) {
		uint32_t words = (at - BEHIND) / 64, shift = (at - BEHIND) % 64;

		gaps->floor += at - BEHIND;
		for (uint32_t i = 0; i < TAKEN_WORDS; i++)
			taken[i] = taken[i + words] >> shift | (shift ? taken[i + words + 1] << (64 - shift) : 0);
	}
	memcpy(gaps->taken, taken, sizeof(gaps->taken));
	return slot;
}

/* Puts the rows outside of chains. The high halves become numbers of states, plus 1: not all references are known. */
static int place_one_by_one(struct layout *l)
{
	const struct core_tables *t = l->t;
	struct gaps gaps = { .floor = 0 };
	uint32_t chain = 0;

	for (uint32_t s = 0; s < t->states; s++) {
		const uint8_t *symbols = t->symbols + t->first[s];
		const uint32_t *targets = t->targets + t->first[s];
		uint64_t slot;
		int error;

		if (chain < t->chains && t->chain[2 * chain] == s) {
			s += t->chain[2 * chain++ + 1] - 1;
			continue;
		}
		if (l->references[s])
			continue;
		slot = place(&gaps, symbols, t->count[s]);
		error = grow(l, slot + MAX_BYTE + 1);
		if (error)
			return error;
		l->references[s] = reference(l, slot);
		fill(l, slot, l->accepts[s], t->usual[s] + 1);
		for (uint32_t i = 0; i < t->count[s]; i++)
			fill(l, slot + symbols[i], l->references[s], targets[i] + 1);
	}
	l->out->slots = gaps.floor;
	for (uint32_t word = TAKEN_WORDS; word--;) {
		if (!gaps.taken[word])
			continue;
		l->out->slots += 64 * (word + 1) - (uint32_t)__builtin_clzll(gaps.taken[word]);
		break;
	}
	return 0;
}

/* --- chains --- */

/*
 * Where `count[symbol]` rows with one edge each lie if sorted, from `slot` on. Returns the number of runs; `end` is the
 * slot after all rows and edges.
 */
static uint32_t lie(const uint32_t *count, uint64_t slot, struct run *runs, uint64_t *end)
{
	/* The edges of the runs from `ahead` on lie beyond `slot`, each run's beyond all others. */
	uint32_t n = 0, ahead = 0;

	for (uint32_t symbol = 1; symbol <= MAX_BYTE; symbol++) {
		for (uint32_t left = count[symbol]; left; n++) {
			struct run run = { slot, left < symbol ? left : symbol, (uint8_t)symbol };

			while (ahead < n && runs[ahead].slot + runs[ahead].symbol < run.slot + WORTHWHILE) {
				run.slot = runs[ahead].slot + runs[ahead].symbol + runs[ahead].n;
				ahead++;
			}
			if (ahead < n && runs[ahead].slot + runs[ahead].symbol - run.slot < run.n)
				run.n = (uint32_t)(runs[ahead].slot + runs[ahead].symbol - run.slot);
			runs[n] = run;
			slot = run.slot + run.n;
			left -= run.n;
		}
	}
	*end = n ? runs[n - 1].slot + runs[n - 1].symbol + runs[n - 1].n : slot;
	return n;
}

/* Puts the rows of the chains from `low` to `high`, which have `n` states, in the order of their symbols. */
static int place_sorted(struct layout *l, uint32_t low, uint32_t high, uint32_t n)
{
	const struct core_tables *t = l->t;
	uint32_t count[MAX_BYTE + 1] = { 0 }, next[MAX_BYTE + 1], at = 0, runs;
	uint64_t end;
	int error;

	for (uint32_t chain = low; chain < high; chain++)
		for (uint32_t i = 0; i < t->chain[2 * chain + 1]; i++, at++) {
			l->state[at] = t->chain[2 * chain] + i;
			count[t->symbols[t->first[l->state[at]]]]++;
		}
	for (uint32_t symbol = 0, sum = 0; symbol <= MAX_BYTE; sum += count[symbol++])
		next[symbol] = sum;
	for (at = 0; at < n; at++)
		l->order[next[t->symbols[t->first[l->state[at]]]]++] = at;
	runs = lie(count, l->out->slots, l->runs, &end);
	error = grow(l, end);
	if (error)
		return error;
	l->out->slots = end;
	at = 0;
	for (uint32_t run = 0; run < runs; run++)
		for (uint32_t i = 0; i < l->runs[run].n; i++, at++) {
			l->row[l->order[at]] = l->runs[run].slot + i;
			l->references[l->state[l->order[at]]] = reference(l, l->runs[run].slot + i);
		}
	at = 0;
	for (uint32_t chain = low; chain < high; chain++)
		for (uint32_t i = t->chain[2 * chain + 1]; i--; at++) {
			uint32_t s = l->state[at];
			uint64_t edge = l->row[at] + t->symbols[t->first[s]];

			fill(l, l->row[at], l->accepts[s], l->references[t->usual[s]]);
			fill(l, edge, l->references[s], i ? reference(l, l->row[at + 1]) : 0);
			if (i)
				continue;
			l->end_slot[l->ends] = edge;
			l->end_state[l->ends++] = t->targets[t->first[s]];
		}
	return 0;
}

/* Calls place_sorted() for batches of chains, or only returns the states of the largest batch. */
static int place_chains(struct layout *l, uint32_t *largest)
{
	const struct core_tables *t = l->t;
	uint32_t low = 0, states = 0;

	for (uint32_t chain = 0; chain < t->chains; chain++) {
		states += t->chain[2 * chain + 1];
		if (states < BATCH && chain + 1 < t->chains)
			continue;
		if (largest) {
			*largest = states > *largest ? states : *largest;
		} else {
			int error = place_sorted(l, low, chain + 1, states);

			if (error)
				return error;
		}
		low = chain + 1;
		states = 0;
	}
	return 0;
}

static int lay_out(struct layout *l)
{
	uint32_t largest = 0;
	uint64_t loose;
	int error = place_one_by_one(l);

	if (error)
		return error;
	loose = l->out->slots;
	place_chains(l, &largest);
	l->end_slot = malloc((l->t->chains + 1ULL) * sizeof(*l->end_slot));
	l->end_state = malloc((l->t->chains + 1ULL) * sizeof(*l->end_state));
	l->state = malloc((largest + 1ULL) * sizeof(*l->state));
	l->order = malloc((largest + 1ULL) * sizeof(*l->order));
	l->row = malloc((largest + 1ULL) * sizeof(*l->row));
	l->runs = malloc((largest + 1ULL) * sizeof(*l->runs));
	if (!l->end_slot || !l->end_state || !l->state || !l->order || !l->row || !l->runs)
		return -ENOMEM;
	error = place_chains(l, NULL);
	if (error)
		return error;
	for (uint64_t slot = 0; slot < loose; slot++) {
		uint32_t *high = &l->out->words[2 * slot + 1];

		if (*high)
			*high = l->references[*high - 1];
	}
	for (uint32_t i = 0; i < l->ends; i++)
		l->out->words[2 * l->end_slot[i] + 1] = l->references[l->end_state[i]];
	return 0;
}

int core_layout(const struct core_tables *tables, const uint32_t *accepts, uint32_t *references, uint64_t base,
		uint64_t slot, struct core_image *out)
{
	struct layout l = { .t = tables, .accepts = accepts, .references = references, .out = out };
	int error;

	memset(out, 0, sizeof(*out));
	if (base > 1ULL << 32 || slot > 1ULL << 29)
		return -EFBIG;
	if (!tables_are_sound(tables))
		return -EINVAL;
	for (uint32_t s = 0; s < tables->states; s++)
		if (!(accepts[s] & 1))
			return -EDOM;
	l.base = base + SLOT * slot;
	error = lay_out(&l);
	free(l.end_slot);
	free(l.end_state);
	free(l.state);
	free(l.order);
	free(l.row);
	free(l.runs);
	return error;
}

void core_free_image(struct core_image *image)
{
	free(image->words);
	memset(image, 0, sizeof(*image));
}
