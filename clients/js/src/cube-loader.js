/** The loader with its worker inside, so that it runs from any bundle and any origin. */

import source from "text:worker";
import { CubeLoader as PlainLoader } from "../../../viewer/ctc1/loader.js";

function makeInlineWorker() {
	const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
	const worker = new Worker(url, { type: "module" });
	// The worker has its own reference once it runs; a message is the first sign of that.
	worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true });
	return worker;
}

/**
 * Loads cubes in workers and keeps them; one serves all layers of a page. A content security policy needs
 * `worker-src blob:`; without it, give `makeWorker: () => new Worker(url of chronotile/worker.js, { type: "module" })`.
 */
export class CubeLoader extends PlainLoader {
	/** @param {ConstructorParameters<typeof PlainLoader>[0]} [options] */
	constructor(options = {}) {
		super({ ...options, makeWorker: options.makeWorker ?? makeInlineWorker });
	}
}
