/**
 * Draws land and borders on the canvas of one map tile; pure except for the canvas.
 *
 * The files contain lines in integer units of Web Mercator, `size` units across the world, row 0 in the north; each
 * point is the difference from the one before.
 *
 * @typedef {{ size: number, lines: number[][], cut?: number }} LinesFile with `cut`, lines are cut at every multiple of
 *   this number of units
 * @typedef {{ xmin: number, ymin: number, xmax: number, ymax: number }} Box
 * @typedef {Box & { xs: Float32Array, ys: Float32Array }} Line
 * @typedef {{ size: number, lines: Line[], cut: number }} Lines
 * @typedef {{ x: number, y: number, z: number }} TileCoords
 */

/** Units drawn beyond each edge of a tile, in pixels, so that strokes meet at the seams. */
const MARGIN_PX = 4;

/** Points nearer than this to the one before are not drawn, in pixels. */
const STEP_PX = 0.75;

/**
 * Colours of land for the backgrounds that have land; the style sheet has that of the sea.
 * @type {Record<string, string>}
 */
export const LAND_COLOURS = { NaturalEarth: "#f3f1ea", NaturalEarth_Dark: "#2b343b" };

/** @param {LinesFile} file @returns {Lines} */
export const decodeLines = ({ size, lines, cut = size }) => ({ size, lines: lines.map(decodeLine), cut });

/** @param {number[]} deltas @returns {Line} */
function decodeLine(deltas) {
	const count = deltas.length / 2;
	const xs = new Float32Array(count);
	const ys = new Float32Array(count);
	let [x, y] = [0, 0];
	let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, -Infinity, -Infinity];
	for (let index = 0; index < count; index++) {
		x += deltas[2 * index];
		y += deltas[2 * index + 1];
		xs[index] = x;
		ys[index] = y;
		[xmin, xmax] = [Math.min(xmin, x), Math.max(xmax, x)];
		[ymin, ymax] = [Math.min(ymin, y), Math.max(ymax, y)];
	}
	return { xs, ys, xmin, ymin, xmax, ymax };
}

/**
 * Returns the sides of the box beyond which the point is, one bit per side.
 * @param {Box} box
 * @param {number} x
 * @param {number} y
 */
const sidesBeyond = (box, x, y) =>
	(x < box.xmin ? 1 : 0) | (x > box.xmax ? 2 : 0) | (y < box.ymin ? 4 : 0) | (y > box.ymax ? 8 : 0);

/**
 * Returns indices of the points that affect the picture inside the box: of successive points beyond the same side only
 * the first and the last, and of points closer together than `step` only one.
 * @param {Line} line @param {Box} box @param {number} step
 */
export function thin({ xs, ys }, box, step) {
	/** @type {number[]} */
	const indices = [];
	const last = xs.length - 1;
	let run = 0;
	for (let index = 0; index <= last; index++) {
		const beyond = sidesBeyond(box, xs[index], ys[index]);
		run &= beyond;
		const next = index < last ? sidesBeyond(box, xs[index + 1], ys[index + 1]) : 0;
		if (run & next) continue;
		const before = indices.at(-1);
		const isNear =
			before !== undefined &&
			index < last &&
			!beyond &&
			Math.abs(xs[index] - xs[before]) + Math.abs(ys[index] - ys[before]) < step;
		if (isNear) continue;
		indices.push(index);
		run = beyond;
	}
	return indices;
}

/**
 * Adds the lines to the canvas's path, as closed rings or as strokes. A line that extends beyond 180 degrees is drawn
 * on both edges of the world. A stroke omits segments along a cut: the land continues there.
 * @param {CanvasRenderingContext2D} canvas @param {Lines} lines @param {TileCoords} coords
 * @param {number} tileSize @param {"ring" | "stroke"} kind
 */
function trace(canvas, { size, lines, cut }, { x, y, z }, tileSize, kind) {
	const perUnit = (tileSize * 2 ** z) / size;
	const extent = size / 2 ** z;
	const margin = MARGIN_PX / perUnit;
	const isCut = (/** @type {number} */ a, /** @type {number} */ b) => a === b && a % cut === 0;
	canvas.beginPath();
	for (const turn of [-size, 0, size]) {
		const [left, top] = [x * extent + turn, y * extent];
		const box = { xmin: left - margin, ymin: top - margin, xmax: left + extent + margin, ymax: top + extent + margin };
		for (const line of lines) {
			if (line.xmin > box.xmax || line.xmax < box.xmin || line.ymin > box.ymax || line.ymax < box.ymin) continue;
			const { xs, ys } = line;
			let before = -1;
			for (const index of thin(line, box, STEP_PX / perUnit)) {
				const isGap = kind === "stroke" && (isCut(xs[before], xs[index]) || isCut(ys[before], ys[index]));
				canvas[before < 0 || isGap ? "moveTo" : "lineTo"]((xs[index] - left) * perUnit, (ys[index] - top) * perUnit);
				before = index;
			}
			if (kind === "ring") canvas.closePath();
		}
	}
}

/**
 * @param {CanvasRenderingContext2D} canvas
 * @param {Lines} land
 * @param {TileCoords} coords
 * @param {number} tileSize
 * @param {string} colour
 */
export function paintLand(canvas, land, coords, tileSize, colour) {
	trace(canvas, land, coords, tileSize, "ring");
	canvas.fillStyle = colour;
	canvas.fill("evenodd");
}

/**
 * Paints lines that are visible over any picture: dark, with a light edge.
 * @param {CanvasRenderingContext2D} canvas @param {Lines} lines @param {TileCoords} coords @param {number} tileSize
 */
export function paintOutlines(canvas, lines, coords, tileSize) {
	trace(canvas, lines, coords, tileSize, "stroke");
	canvas.lineJoin = "round";
	canvas.strokeStyle = "rgb(255 255 255 / 60%)";
	canvas.lineWidth = 2.5;
	canvas.stroke();
	canvas.strokeStyle = "rgb(40 50 60 / 85%)";
	canvas.lineWidth = 1;
	canvas.stroke();
}
