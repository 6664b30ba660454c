/**
 * Converts a frame of a film to indexes into a table of its colours, as GIF requires. Pure.
 *
 * Frames of values have few colours, which remain exact. If a frame has more colours than a table can hold, the most
 * frequent ones remain, and each of the others becomes the nearest of them.
 *
 * @typedef {{ index: Uint8Array, palette: number[][] }} Indexed colours as red, green and blue
 */

const MAX_COLOURS = 256;
/** More colours than this are counted by their five highest bits only. */
const MAX_COUNTED = 8192;
/** Slots of the hash table for counting colours: a power of two, well above the 32,768 of five bits each. */
const SLOTS = 1 << 16;
const ALL_BITS = 0xffffff;
const FIVE_BITS = 0xf8f8f8;

/** Returns the slot of a colour. @param {Int32Array} slots colours by slot, -1 if free @param {number} colour */
function slotOf(slots, colour) {
	let slot = (Math.imul(colour, 0x9e3779b1) >>> 16) & (SLOTS - 1);
	while (slots[slot] !== -1 && slots[slot] !== colour) slot = (slot + 1) & (SLOTS - 1);
	return slot;
}

/** @param {Uint32Array} words pixels, little-endian RGBA, opaque @returns {Indexed} */
export const indexed = (words) =>
	indexedBy(words, ALL_BITS, MAX_COUNTED) ?? /** @type {Indexed} */ (indexedBy(words, FIVE_BITS, SLOTS));

/**
 * @param {Uint32Array} words
 * @param {number} bits mask of the bits that distinguish colours
 * @param {number} most
 * @returns {Indexed | null} null for more colours than `most`
 */
function indexedBy(words, bits, most) {
	const slots = new Int32Array(SLOTS).fill(-1);
	const counts = new Uint32Array(SLOTS);
	const slotsAt = new Uint16Array(words.length);
	let [distinct, last, slot] = [0, -1, 0];
	for (let at = 0; at < words.length; at++) {
		const colour = words[at] & bits;
		if (colour !== last) {
			slot = slotOf(slots, colour);
			if (slots[slot] === -1) {
				if (++distinct > most) return null;
				slots[slot] = colour;
			}
			last = colour;
		}
		counts[slot] += 1;
		slotsAt[at] = slot;
	}
	return withTable(slotsAt, slots, counts);
}

/**
 * @param {Uint16Array} slotsAt of each pixel
 * @param {Int32Array} slots
 * @param {Uint32Array} counts
 * @returns {Indexed}
 */
function withTable(slotsAt, slots, counts) {
	const used = [...slots.keys()].filter((slot) => slots[slot] !== -1).sort((one, other) => counts[other] - counts[one]);
	const kept = used.slice(0, MAX_COLOURS).map((slot) => slots[slot]);
	const places = new Uint8Array(SLOTS);
	for (const [rank, slot] of used.entries()) places[slot] = rank < MAX_COLOURS ? rank : nearest(kept, slots[slot]);
	const index = new Uint8Array(slotsAt.length);
	for (let at = 0; at < index.length; at++) index[at] = places[slotsAt[at]];
	return { index, palette: kept.map(parts) };
}

/** Returns red, green and blue. @param {number} colour */
const parts = (colour) => [colour & 0xff, (colour >> 8) & 0xff, (colour >> 16) & 0xff];

/** @param {number[]} colours @param {number} wanted */
function nearest(colours, wanted) {
	const [red, green, blue] = parts(wanted);
	let [best, least] = [0, Number.POSITIVE_INFINITY];
	for (const [place, colour] of colours.entries()) {
		const [r, g, b] = parts(colour);
		const apart = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
		if (apart < least) [best, least] = [place, apart];
	}
	return best;
}

/**
 * Returns the duration of each frame in hundredths of a second: whole numbers with the right sum.
 * @param {number} count
 * @param {number} fps
 */
export const delaysOf = (count, fps) =>
	Array.from({ length: count }, (_, frame) => Math.round(((frame + 1) * 100) / fps) - Math.round((frame * 100) / fps));
