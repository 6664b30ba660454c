/** Encodes frames as a GIF in a separate thread. */
import { GIFEncoder } from "../vendor/gifenc.js";
import { indexed } from "./gif-colours.js";

/**
 * @typedef {{ pixels: ArrayBuffer, width: number, height: number, delayMs: number }} GifFrame RGBA, opaque
 * @typedef {GifFrame | "end"} Order
 * @typedef {{ bytes: number } | { file: Uint8Array<ArrayBuffer> } | { why: string }} Answer
 */

const encoder = GIFEncoder();

/** @param {Order} order @returns {Answer} */
function obey(order) {
	if (order === "end") {
		encoder.finish();
		return { file: /** @type {Uint8Array<ArrayBuffer>} */ (encoder.bytes()) };
	}
	const { index, palette } = indexed(new Uint32Array(order.pixels));
	encoder.writeFrame(index, order.width, order.height, { palette, delay: order.delayMs, repeat: 0 });
	return { bytes: encoder.bytesView().length };
}

self.addEventListener("message", ({ data }) => {
	try {
		self.postMessage(obey(data));
	} catch (error) {
		self.postMessage({ why: error instanceof Error ? error.message : String(error) });
	}
});
