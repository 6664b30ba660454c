/**
 * The layout of a picture of the map: its crop, the length of the scale bar, the size of files. Pure.
 *
 * @typedef {{ left: number, top: number, width: number, height: number }} Rect in pixels of the map's frame
 * @typedef {{ kind: "path", d: string, isEvenOdd: boolean }} Clip a shape in the syntax of SVG
 */

/** Around the Earth along the equator of Web Mercator. */
const EQUATOR_M = 40_075_016.685_578_49;
const TILE_PX = 256;
/** Around an area that is cut out, as a share of its longer side. */
const MARGIN = 0.08;
const LEAST_PX = 48;

/** Returns the metres on the ground per pixel of the map. @param {number} zoom @param {number} latitude */
export const metresPerPixel = (zoom, latitude) =>
	(EQUATOR_M * Math.cos((latitude * Math.PI) / 180)) / (TILE_PX * 2 ** zoom);

/**
 * Returns the longest round length that fits: 1, 2 or 5 times a power of ten.
 * @param {number} pixelM
 * @param {number} mostPx
 * @returns {{ metres: number, px: number }}
 */
export function scaleBar(pixelM, mostPx) {
	const most = pixelM * mostPx;
	const power = 10 ** Math.floor(Math.log10(most));
	const metres = ([5, 2, 1].find((each) => each * power <= most) ?? 1) * power;
	return { metres, px: metres / pixelM };
}

/** @param {number} edge @param {number} step */
const downTo = (edge, step) => Math.floor(edge / step) * step;

/**
 * Returns the crop around a box, with a margin; null if the box is not within the frame.
 * @param {Rect} box @param {{ width: number, height: number }} frame @returns {Rect | null}
 */
export function cropAround(box, frame) {
	const isWithin =
		box.left >= 0 && box.top >= 0 && box.left + box.width <= frame.width && box.top + box.height <= frame.height;
	if (!isWithin) return null;
	const margin = Math.max(box.width, box.height) * MARGIN;
	const [width, height] = [box.width, box.height].map((side) => Math.max(LEAST_PX, side + 2 * margin));
	const left = Math.max(0, Math.floor(box.left + box.width / 2 - width / 2));
	const top = Math.max(0, Math.floor(box.top + box.height / 2 - height / 2));
	return {
		left,
		top,
		width: Math.min(frame.width - left, Math.ceil(width)),
		height: Math.min(frame.height - top, Math.ceil(height)),
	};
}

/**
 * Returns a size in whole pixels; H.264 requires even ones.
 * @param {Rect} rect
 * @param {number} scale
 * @param {boolean} isEven
 */
export function sizeOf({ width, height }, scale, isEven) {
	const [across, down] = [width, height].map((side) => Math.max(2, Math.round(side * scale)));
	return isEven ? { width: downTo(across, 2), height: downTo(down, 2) } : { width: across, height: down };
}

/**
 * Returns the shape that clips a pane of the map, in its coordinates; null if it is not clipped.
 * @param {string} clipPath in the syntax of CSS
 * @returns {Clip | null}
 */
export function clipOf(clipPath) {
	const polygon = /^polygon\((.*)\)$/.exec(clipPath);
	if (polygon) {
		const corners = polygon[1].split(",").map((corner) => corner.trim().replaceAll("px", ""));
		return { kind: "path", d: `M${corners.join("L")}Z`, isEvenOdd: false };
	}
	const path = /^path\((evenodd,\s*)?["'](.*)["']\)$/.exec(clipPath);
	return path ? { kind: "path", d: path[2], isEvenOdd: path[1] !== undefined } : null;
}

/** Bytes of a pixel of a frame, of data without and with noise: measured on 73 dates. */
const BYTES_PER_PIXEL = { gif: 0.43, mp4: 0.17, webm: 0.13 };

/**
 * Returns the approximate size of a film in bytes.
 * @param {"gif" | "mp4" | "webm"} kind
 * @param {{ width: number, height: number }} size
 * @param {number} frames
 */
export const filmBytes = (kind, { width, height }, frames) => BYTES_PER_PIXEL[kind] * width * height * frames;

/**
 * Splits text into lines of a maximum width; a wider word has a separate line.
 * @param {string} words
 * @param {number} most
 * @param {(words: string) => number} widthOf
 */
export function wrapLines(words, most, widthOf) {
	/** @type {string[]} */
	const lines = [];
	for (const word of words.split(/\s+/).filter(Boolean)) {
		const longer = lines.length > 0 ? `${lines[lines.length - 1]} ${word}` : word;
		if (lines.length > 0 && widthOf(longer) <= most) lines[lines.length - 1] = longer;
		else lines.push(word);
	}
	return lines;
}
