/**
 * Films of the map: it goes from date to date as when it is played, waits until each is wholly there, and is copied
 * frame by frame, so that a film shows what the map shows, in comparisons and with filled gaps too.
 *
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("./page/snapshot.js").PictureForm} PictureForm
 * @typedef {{ add: (frame: number) => Promise<void>, end: () => Promise<Blob>, cancel: () => void }} Writer takes
 *   the frames
 *   that are drawn on its canvas, by number
 * @typedef {{ frames: readonly number[], canvas: HTMLCanvasElement, form: PictureForm, writer: Writer }} Film
 *   `frames` are
 *   indexes of dates
 * @typedef {{ done: number, count: number }} FilmProgress
 */

import { chooseTime, intent, isGapFilled, isMoving, sideA, sideB, timeIndex } from "../base/state.js";
import { cubesOf } from "../map/cubes.js";
import { pause } from "../time/playback.js";
import { PictureMaker } from "./page/snapshot.js";

/** A window that is not seen has no frames to wait for. */
const FRAME_MS = 250;
/** How long numbers that are here may take until they are painted. */
const PAINT_MS = 1500;
/** In so many frames of the browser at least: a page that stands still for a while has none. */
const LEAST_PAINTS = 30;

/** Until the browser has painted once more. @returns {Promise<void>} */
const nextPaint = () =>
	new Promise((resolve) => {
		const timer = window.setTimeout(resolve, FRAME_MS);
		window.requestAnimationFrame(() => {
			window.clearTimeout(timer);
			resolve();
		});
	});

/** Whether a side is painted as it stands at its date, in all its cells. @param {Side} side */
function isPainted(side) {
	if (side.tileProgress.peek().phase !== "shown") return false;
	const cubes = cubesOf(side);
	if (!cubes) return true;
	const isWhole = cubes.layer.painter.current.every(({ painted }) => !painted?.isPreview);
	return isWhole && (!isGapFilled.peek() || cubes.isAllFilled());
}

/** Goes to a date and waits until it is wholly there. @param {number} index @param {AbortSignal} stopped */
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
		// Pictures take as long as the server does; numbers that are here do not.
		if (isThere || (isLate && sides.every((side) => cubesOf(side)))) return;
	}
}

/**
 * Makes a film; the map is where it was afterwards.
 * @param {Film} film @param {AbortSignal} stopped @param {(progress: FilmProgress) => void} onProgress
 * @returns {Promise<Blob>}
 */
export async function makeFilm({ frames, canvas, form, writer }, stopped, onProgress) {
	const before = timeIndex.peek();
	const maker = await PictureMaker.make();
	pause();
	intent.value = intent.peek() + 1;
	isMoving.value = true;
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
		isMoving.value = false;
	}
}
