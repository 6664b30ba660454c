/** Films as GIF, encoded in a worker. */
import { delaysOf } from "./gif-colours.js";

/**
 * @typedef {import("./gif-worker.js").Order} Order
 * @typedef {import("./gif-worker.js").Answer} Answer
 * @typedef {import("./film-maker.js").Writer} Writer
 */

/**
 * @param {HTMLCanvasElement} canvas on which each frame is drawn
 * @param {{ count: number, fps: number }} film
 * @returns {Promise<Writer>}
 */
export async function startGif(canvas, { count, fps }) {
	const worker = new Worker(new URL("./gif-worker.js", import.meta.url), { type: "module" });
	const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
	const delays = delaysOf(count, fps);
	/** @param {Order} order @param {Transferable[]} [given] @returns {Promise<Answer>} */
	const ask = (order, given = []) =>
		new Promise((resolve, reject) => {
			worker.onmessage = ({ data }) => ("why" in data ? reject(new Error(data.why)) : resolve(data));
			worker.onerror = ({ message }) => reject(new Error(message));
			worker.postMessage(order, given);
		});
	/** The frame that the worker encodes; the next one is drawn at the same time. @type {Promise<unknown>} */
	let busy = Promise.resolve();
	return {
		add: async (frame) => {
			const { width, height } = canvas;
			const pixels = context.getImageData(0, 0, width, height).data.buffer;
			await busy;
			busy = ask({ pixels, width, height, delayMs: delays[frame] * 10 }, [pixels]);
			busy.catch(() => {}); // the next await of this promise reports the error
		},
		end: async () => {
			await busy;
			const answer = await ask("end");
			worker.terminate();
			if (!("file" in answer)) throw new Error("the worker gave no file");
			return new Blob([answer.file], { type: "image/gif" });
		},
		cancel: () => worker.terminate(),
	};
}
