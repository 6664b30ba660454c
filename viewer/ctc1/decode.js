/**
 * Reads CTC1: all dates of one map tile as numbers (docs/design/ctc1.md). Pure; it imports no other module.
 *
 * The body is given without gzip, which browsers remove by themselves. Any deviation from the format throws a
 * CubeError:
 * numbers are right, or there are none.
 *
 * @typedef {Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>} Numbers
 * @typedef {{ n: number, mask: 0 | 1, pred: 0 | 1 | 2 }} Block
 * @typedef {{
 *   v: 1, layer: string, rev: string, crs: string, tms: string, z: number | string, x: number, y: number,
 *   w: number, h: number, res: number, dtype: "uint8" | "uint16", nodata: number, scale: number, offset: number,
 *   units: string | null, range: [number, number] | null, times: (string | null)[], valid: number[], blocks: Block[],
 *   flags?: Record<string, string>, categorical?: boolean, mean?: boolean, warped?: boolean, quantised?: boolean,
 *   source?: { shift: number, offset: number }, reach?: [number | null, number | null],
 *   cells?: Cells, unreadable?: string[], left_out?: Record<string, string[]>, isExact?: boolean,
 * }} Header `isExact` is for cubes of periods, with values that may be as exact as those of their dates although they
 *   are `quantised`
 * @typedef {{ columns: number[][], rows: number[][] }} Cells of a cube of native cells: polynomials from a position on
 *   the tile to the column and row of its cell
 * @typedef {{ left: number, top: number, width: number }} Part a square of a tile; all from 0 to 1 of the tile
 */

const MAGIC = [0x43, 0x54, 0x43, 0x31];
const FIRST_BYTES = 8;
const MOST_ACROSS = 8192;
const MOST_FRAMES = 65_536;
const PREDICTORS = [0, 1, 2];
/** Significant digits of a value; past these is only the noise of floating point. */
const DIGITS = 12;

/** An answer that is no cube, or not the whole of one. */
export class CubeError extends Error {}

/** @param {unknown} isGood @param {string} what @returns {asserts isGood} */
function check(isGood, what) {
	if (!isGood) throw new CubeError(`not a cube tile: ${what}`);
}

/** @param {unknown} value @param {number} low @param {number} high */
const isWhole = (value, low, high) => Number.isInteger(value) && Number(value) >= low && Number(value) <= high;

/**
 * The numbers of one tile at all its dates: frame by frame, row by row, nodata where there is neither a value nor a
 * flag.
 */
export class Cube {
	/** @type {Numbers | null} */
	#filled = null;
	/** @type {Map<string | null, number> | null} */
	#frames = null;
	/** @type {string | null} */
	#layout = null;

	/**
	 * @param {Header} header
	 * @param {Numbers} numbers
	 * @param {Uint8Array | null} [counts] of how many values each number is, of cubes of periods
	 */
	constructor(header, numbers, counts = null) {
		this.header = header;
		this.numbers = numbers;
		this.counts = counts;
		this.count = header.times.length;
		this.size = header.w * header.h;
		/** Names of numbers that are no values. */
		this.flags = new Map(Object.entries(header.flags ?? {}).map(([number, name]) => [Number(number), name]));
	}

	/** Returns the index of the date with a text; -1 if there is none. @param {string | null} time */
	frameOf(time) {
		this.#frames ??= new Map(this.header.times.map((each, index) => [each, index]));
		return this.#frames.get(time) ?? -1;
	}

	/** Whether its values differ from those of native cells: means, rounded values, or values of neighbours. */
	get isApproximate() {
		const { mean, warped, quantised, isExact } = this.header;
		return mean === true || warped === true || (quantised === true && !isExact);
	}

	/** Bytes that it holds. */
	get bytes() {
		return this.numbers.byteLength * (this.#filled ? 2 : 1) + (this.counts?.byteLength ?? 0);
	}

	/** The numbers of a date, (y, x). @param {number} index @returns {Numbers} */
	numbersAt(index) {
		return this.numbers.subarray(index * this.size, (index + 1) * this.size);
	}

	/** Whether `filledAt` needs no more work. */
	get isFilled() {
		return this.#filled !== null;
	}

	/**
	 * Like `numbersAt`, but a missing value is replaced by the last value before it in the cube, if any.
	 * @param {number} index
	 * @returns {Numbers}
	 */
	filledAt(index) {
		this.#filled ??= fill(this);
		return this.#filled.subarray(index * this.size, (index + 1) * this.size);
	}

	/**
	 * Returns the index of the number at a position on the tile; -1 if the source has no cell there.
	 * @param {number} across from 0 to 1
	 * @param {number} down from 0 to 1
	 */
	cellAt(across, down) {
		return this.cellsIn({ left: across, top: down, width: 0 }, 1)[0];
	}

	/**
	 * Returns `cellAt` for the centres of `size` by `size` pixels of a part of the tile.
	 * @param {Part} part
	 * @param {number} size
	 */
	cellsIn({ left, top, width }, size) {
		const { w, h, cells } = this.header;
		const indexes = new Int32Array(size * size);
		const places = Float64Array.from({ length: size }, (_, pixel) => left + ((pixel + 0.5) / size) * width);
		const terms = termsAt(
			places,
			cells ? Math.max(...[...cells.columns, ...cells.rows].map(({ length }) => length)) : 0,
		);
		for (let y = 0, out = 0; y < size; y++) {
			const down = top + ((y + 0.5) / size) * width;
			const [columns, rows] = cells ? [cells.columns, cells.rows].map((all) => lineOf(all, 2 * down - 1)) : [];
			for (let x = 0; x < size; x++, out++) {
				if (!cells) {
					indexes[out] = Math.floor(down * h) * w + Math.floor(places[x] * w);
					continue;
				}
				let [column, row] = [0, 0];
				for (let i = 0; i < columns.length; i++) column += columns[i] * terms[i * size + x];
				for (let i = 0; i < rows.length; i++) row += rows[i] * terms[i * size + x];
				const isInside = column >= 0 && column < w && row >= 0 && row < h;
				indexes[out] = isInside ? Math.floor(row) * w + Math.floor(column) : -1;
			}
		}
		return indexes;
	}

	/** Identifies the positions of numbers on the tile; equal for cubes that share them. */
	get layout() {
		const { w, h, cells } = this.header;
		this.#layout ??= JSON.stringify([w, h, cells]);
		return this.#layout;
	}

	/** Values of all numbers; NaN for those that are no values. */
	get values() {
		const length = this.header.dtype === "uint8" ? 0x100 : 0x10000;
		return Float64Array.from({ length }, (_, number) => this.valueOf(number) ?? Number.NaN);
	}

	/** 1 for each number that is no value. @returns {Uint8Array} */
	get gapNumbers() {
		const isGap = new Uint8Array(this.header.dtype === "uint8" ? 0x100 : 0x10000);
		for (const number of [this.header.nodata, ...this.flags.keys()]) isGap[number] = 1;
		return isGap;
	}

	/** Frees the memory of `filledAt`. */
	forgetFilled() {
		this.#filled = null;
	}

	/**
	 * Returns the index of the last date up to this one at which a cell has a value; -1 if there is none.
	 * @param {number} index
	 * @param {number} cell
	 */
	lastValid(index, cell) {
		for (let at = index; at >= 0; at--) {
			if (this.valueOf(this.numbers[at * this.size + cell]) !== null) return at;
		}
		return -1;
	}

	/**
	 * Returns the value of a number, in the units of the layer; null if it is no value.
	 * @param {number} number
	 * @returns {number | null}
	 */
	valueOf(number) {
		const { nodata, scale, offset, source } = this.header;
		if (number === nodata || this.flags.has(number)) return null;
		return source ? (number + source.shift) * scale + source.offset : number * scale + offset;
	}

	/**
	 * The same without the noise of floating point, as the server writes it: 0.58, not 0.5800000000000001.
	 * @param {number} number
	 * @returns {number | null}
	 */
	exactValueOf(number) {
		const value = this.valueOf(number);
		return value === null ? null : withoutNoise(value);
	}

	/**
	 * Returns 1 if a number means its value and all above, -1 for its value and all below, otherwise 0.
	 * @param {number} number
	 */
	beyond(number) {
		const { reach, scale } = this.header;
		if (!reach?.includes(number) || this.valueOf(number) === null) return 0;
		return number === reach[1] ? Math.sign(scale) : -Math.sign(scale);
	}
}

/** 0.3 for 0.1 + 0.2. @param {number} value */
export const withoutNoise = (value) => Number(value.toPrecision(DIGITS));

/**
 * The coefficients in `across` that polynomials in `across` and `down` have at one `down`.
 * @param {number[][]} terms by degree down, then by degree across
 * @param {number} v -1 to 1
 */
function lineOf(terms, v) {
	const line = new Float64Array(Math.max(...terms.map(({ length }) => length)));
	let [now, next] = [1, v];
	for (const row of terms) {
		for (let i = 0; i < row.length; i++) line[i] += row[i] * now;
		[now, next] = [next, 2 * v * next - now];
	}
	return line;
}

/**
 * Returns Chebyshev polynomials of the first kind up to a count at positions: all positions of one polynomial, then of
 * the next.
 * @param {Float64Array} places 0 to 1
 * @param {number} count
 */
function termsAt(places, count) {
	const terms = new Float64Array(count * places.length);
	for (const [at, place] of places.entries()) {
		const u = 2 * place - 1;
		let [now, next] = [1, u];
		for (let i = 0; i < count; i++) {
			terms[i * places.length + at] = now;
			[now, next] = [next, 2 * u * next - now];
		}
	}
	return terms;
}

/** @param {Cube} cube @returns {Numbers} */
function fill({ numbers, gapNumbers: isGap, size, count }) {
	const filled = numbers.slice();
	for (let at = size; at < count * size; at++) {
		if (isGap[filled[at]] && !isGap[filled[at - size]]) filled[at] = filled[at - size];
	}
	return filled;
}

/**
 * @param {Uint8Array} bytes the whole body, gzip undone
 * @returns {Cube}
 * @throws {CubeError} when it is not CTC1, or too short or too long
 */
export function decodeCube(bytes) {
	const { header, start } = readHeader(bytes);
	const { w, h, dtype, nodata, blocks } = header;
	const size = w * h;
	const width = dtype === "uint8" ? 1 : 2;
	const maskLength = Math.ceil(size / 8);
	const length = blocks.reduce((sum, { n, mask }) => sum + n * (mask * maskLength + size * width), start);
	check(bytes.length === length, `${bytes.length} bytes instead of ${length}`);
	const count = header.times.length;
	/** @type {Numbers} */
	const numbers = width === 1 ? new Uint8Array(count * size) : new Uint16Array(count * size);
	let [at, frame] = [start, 0];
	for (const { n, mask, pred } of blocks) {
		const maskStart = at;
		at += mask * n * maskLength;
		const out = numbers.subarray(frame * size, (frame + n) * size);
		if (width === 1) out.set(bytes.subarray(at, at + n * size));
		else joinPlanes(bytes.subarray(at, at + 2 * n * size), out, size);
		if (pred === 1) undoTime(out, size);
		else if (pred === 2) undoGradient(out, w, h, width === 1 ? 0xff : 0xffff);
		for (let index = 0; mask && index < n; index++) {
			const first = maskStart + index * maskLength;
			writeNodata(out.subarray(index * size, (index + 1) * size), bytes.subarray(first, first + maskLength), nodata);
		}
		at += n * size * width;
		frame += n;
	}
	return new Cube(header, numbers);
}

/** @param {Uint8Array} bytes @returns {{ header: Header, start: number }} */
function readHeader(bytes) {
	check(
		bytes.length >= FIRST_BYTES && MAGIC.every((byte, index) => bytes[index] === byte),
		"it does not begin with CTC1",
	);
	const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
	const start = FIRST_BYTES + length;
	check(start % FIRST_BYTES === 0 && start <= bytes.length, `a header of ${length} bytes`);
	/** @type {Header} */
	let header;
	try {
		header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(FIRST_BYTES, start)));
	} catch {
		throw new CubeError("not a cube tile: its header is no JSON");
	}
	checkHeader(header);
	return { header, start };
}

/** @param {Header} header */
function checkHeader(header) {
	check(typeof header === "object" && header !== null && header.v === 1, "its version is not 1");
	const { w, h, res, dtype, nodata, scale, offset, times, valid, blocks, flags = {}, source, reach, cells } = header;
	check(isWhole(w, 1, MOST_ACROSS) && isWhole(h, 1, MOST_ACROSS), `${w} x ${h} cells`);
	check(isWhole(res, 1, MOST_ACROSS), `res ${res}`);
	check(dtype === "uint8" || dtype === "uint16", `dtype ${dtype}`);
	const most = dtype === "uint8" ? 0xff : 0xffff;
	check(isWhole(nodata, 0, most), `nodata ${nodata}`);
	check(Number.isFinite(scale) && Number.isFinite(offset), `scale ${scale}, offset ${offset}`);
	check(!source || (Number.isInteger(source.shift) && Number.isFinite(source.offset)), "its source");
	const isEnd = (/** @type {unknown} */ end) => end === null || isWhole(end, 0, most);
	check(!reach || (Array.isArray(reach) && reach.length === 2 && reach.every(isEnd)), "its reach");
	check(!cells || [cells.columns, cells.rows].every(isPolynomial), "its cells");
	const isText = (/** @type {unknown} */ time) => typeof time === "string" || time === null;
	check(Array.isArray(times) && times.length <= MOST_FRAMES && times.every(isText), "its times");
	check(Array.isArray(valid) && valid.length === times.length && valid.every(Number.isFinite), "its valid shares");
	check(Array.isArray(blocks), "its blocks");
	for (const { n, mask, pred } of blocks) {
		check(isWhole(n, 1, times.length) && isWhole(mask, 0, 1) && PREDICTORS.includes(pred), "a block");
	}
	check(blocks.reduce((sum, { n }) => sum + n, 0) === times.length, "blocks that are not as many dates as it has");
	check(
		Object.entries(flags).every(([number, name]) => isWhole(Number(number), 0, most) && typeof name === "string"),
		"its flags",
	);
}

/** @param {unknown} terms */
const isPolynomial = (terms) =>
	Array.isArray(terms) && terms.length > 0 && terms.every((row) => Array.isArray(row) && row.every(Number.isFinite));

/**
 * Numbers of 16 bits from the low bytes of each frame and, behind them, the high ones.
 * @param {Uint8Array} bytes
 * @param {Numbers} out
 * @param {number} size
 */
function joinPlanes(bytes, out, size) {
	for (let frame = 0; frame < out.length; frame += size) {
		const low = bytes.subarray(2 * frame, 2 * frame + size);
		const high = bytes.subarray(2 * frame + size, 2 * frame + 2 * size);
		for (let cell = 0; cell < size; cell++) out[frame + cell] = low[cell] | (high[cell] << 8);
	}
}

/**
 * P = F(t-1); sums wrap round as the array's numbers do.
 * @param {Numbers} out residuals, which become numbers
 * @param {number} size
 */
function undoTime(out, size) {
	for (let at = size; at < out.length; at++) out[at] += out[at - size];
}

/**
 * Inverts the prediction P = T + half of the change at the left and above, clipped to the range of numbers. Before the
 * first frame all numbers are 0: then the change is the number itself.
 * @param {Numbers} out residuals, overwritten by numbers @param {number} w @param {number} h @param {number} most
 */
function undoGradient(out, w, h, most) {
	const size = w * h;
	const nothing = out.length > 0 ? out.slice(0, size).fill(0) : out;
	const above = new Int32Array(w);
	for (let start = 0; start < out.length; start += size) {
		const now = out.subarray(start, start + size);
		const before = start === 0 ? nothing : out.subarray(start - size, start);
		above[0] = 0;
		for (let row = 0; row < size; row += w) {
			// A cell at an edge has one neighbour, whose change counts twice.
			let left = above[0];
			for (let x = 0; x < w; x++) {
				const old = before[row + x];
				let guess = old + ((left + (row === 0 ? left : above[x])) >> 1);
				if (guess < 0) guess = 0;
				else if (guess > most) guess = most;
				const number = (guess + now[row + x]) & most;
				now[row + x] = number;
				left = number - old;
				above[x] = left;
			}
		}
	}
}

/** @param {Numbers} numbers @param {Uint8Array} mask @param {number} nodata */
function writeNodata(numbers, mask, nodata) {
	for (let byte = 0; byte < mask.length; byte++) {
		const bits = mask[byte];
		if (bits === 0) continue;
		const first = 8 * byte;
		if (bits === 0xff && first + 8 <= numbers.length) {
			numbers.fill(nodata, first, first + 8);
			continue;
		}
		for (let bit = 0; bit < 8; bit++) if (bits & (1 << bit)) numbers[first + bit] = nodata;
	}
}
