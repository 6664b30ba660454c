/**
 * Films of the map: the map goes from date to date as in playback, waits until each date is complete, and is copied
 * frame by frame. A film shows the same as the map, including comparisons and filled gaps.
 *
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("./page/snapshot.js").PictureForm} PictureForm
 * @typedef {{ add: (frame: number) => Promise<void>, end: () => Promise<Blob>, cancel: () => void }} Writer reads the
 *   frames from its canvas, by number
 * @typedef {{ frames: readonly number[], canvas: HTMLCanvasElement, form: PictureForm, writer: Writer }} Film
 *   `frames` are indexes of dates
 * @typedef {{ done: number, count: number }} FilmProgress
 */

import { chooseTime, isGapFilled, prepareMoves, setMoving, sideA, sideB, timeIndex } from "../base/state.js";
import { cubesOf } from "../map/cubes.js";
import { pause } from "../time/playback.js";
import { PictureMaker } from "./page/snapshot.js";

/** Invisible windows have no animation frames. */
const FRAME_MS = 250;
/** Maximum time from loading cubes to painting them. */
const PAINT_MS = 1500;
/** Minimum number of animation frames before a late date is copied: a suspended page has none. */
const LEAST_PAINTS = 30;

/** Waits until the browser has painted again. @returns {Promise<void>} */
const nextPaint = () =>
	new Promise((resolve) => {
		const timer = window.setTimeout(resolve, FRAME_MS);
		window.requestAnimationFrame(() => {
			window.clearTimeout(timer);
			resolve();
		});
	});

/** Whether a side is completely painted at its date. @param {Side} side */
function isPainted(side) {
	if (side.tileProgress.peek().phase !== "shown") return false;
	const cubes = cubesOf(side);
	if (!cubes) return true;
	const isWhole = cubes.layer.painter.current.every(({ painted }) => !painted?.isPreview);
	return isWhole && (!isGapFilled.peek() || cubes.isAllFilled());
}

/** Goes to a date and waits until it is complete. @param {number} index @param {AbortSignal} stopped */
async function goTo(index, stopped) {
	chooseTime(index);
	const sides = [sideA, ...(sideB.peek() ? [/** @type {Side} */ (sideB.peek())] : [])];
	for (const side of sides) await cubesOf(side)?.whenLoaded([Math.max(0, side.timeIndex.peek())], stopped);
	const late = performance.now() + PAINT_MS;
	for (let paints = 1; ; paints += 1) {
		await nextPaint();
		stopped.throwIfAborted();
		const isThere = sides.every(isPainted);
		const isLate = paints >= LEAST_PAINTS && performance.now() > late;
		// Pictures depend on the speed of the server; loaded cubes do not.
		if (isThere || (isLate && sides.every((side) => cubesOf(side)))) return;
	}
}

/**
 * Makes a film; afterwards the map shows its previous date again.
 * @param {Film} film @param {AbortSignal} stopped @param {(progress: FilmProgress) => void} onProgress
 * @returns {Promise<Blob>}
 */
export async function makeFilm({ frames, canvas, form, writer }, stopped, onProgress) {
	const before = timeIndex.peek();
	const maker = await PictureMaker.make();
	pause();
	prepareMoves();
	setMoving(true);
	try {
		for (const [frame, index] of frames.entries()) {
			onProgress({ done: frame, count: frames.length });
			await goTo(index, stopped);
			maker.draw(canvas, form);
			await writer.add(frame);
			stopped.throwIfAborted();
		}
		onProgress({ done: frames.length, count: frames.length });
		return await writer.end();
	} catch (error) {
		writer.cancel();
		throw error;
	} finally {
		chooseTime(before);
		setMoving(false);
	}
}
