/**
 * The loader with its worker inside, so that it runs from any bundle and any origin.
 *
 * @typedef {import("./credential.js").Credential} Credential
 * @typedef {import("../../../viewer/ctc1/worker.js").Answer} Answer
 * @typedef {import("../../../viewer/ctc1/worker.js").Order} Order
 */

import source from "text:worker";
import { CubeLoader as PlainLoader } from "../../../viewer/ctc1/loader.js";

function makeInlineWorker() {
	const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
	const worker = new Worker(url, { type: "module" });
	// A running worker has its own reference to the URL; its first message shows that it runs.
	worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true });
	return worker;
}

/**
 * Adds the headers of credentials to the requests of a worker.
 * @param {Worker} worker
 * @param {(url: string) => Credential | null} credentialOf
 */
function signed(worker, credentialOf) {
	const post = worker.postMessage.bind(worker);
	/** Receivers of the answers to signed requests, by id. @type {Map<number, (answer: Answer) => void>} */
	const takers = new Map();
	const tell = (/** @type {Answer} */ answer) => {
		if (takers.delete(answer.id)) worker.dispatchEvent(new MessageEvent("message", { data: answer }));
	};
	worker.addEventListener("message", (event) => {
		const take = takers.get(event.data.id);
		if (!take) return;
		event.stopImmediatePropagation(); // other listeners must not receive it: the token may have been refused
		take(event.data);
	});
	worker.postMessage = (/** @type {Order} */ order) => {
		const { id } = order;
		const credential = "url" in order ? credentialOf(order.url) : null;
		takers.delete(id);
		if (!("url" in order) || !credential) return post(order);
		takers.set(id, tell);
		const send = (/** @type {Record<string, string>} */ headers) =>
			/** @type {Promise<Answer>} */ (
				new Promise((resolve) => {
					if (!takers.has(id)) return; // stopped while the token was requested
					takers.set(id, resolve);
					post({ ...order, headers });
				})
			);
		const isRefused = (/** @type {Answer} */ answer) => "failure" in answer && answer.failure.status === 401;
		credential.sign(order.url, send, isRefused).then(tell, ({ message }) => {
			tell({ id, failure: { message, status: 401, isCube: false } });
		});
	};
	return worker;
}

/**
 * Loads cubes in workers and caches them, for all layers of a page. A content security policy needs
 * `worker-src blob:`; without it, pass `makeWorker: () => new Worker(url of chronotile/worker.js, { type: "module" })`.
 */
export class CubeLoader extends PlainLoader {
	/** Credentials by the beginning of addresses. @type {Map<string, Credential | null>} */
	#credentials;

	/** @param {ConstructorParameters<typeof PlainLoader>[0]} [options] */
	constructor({ makeWorker = makeInlineWorker, ...options } = {}) {
		/** @type {Map<string, Credential | null>} */
		const credentials = new Map();
		const credentialOf = (/** @type {string} */ url) =>
			[...credentials].find(([beginning]) => url.startsWith(beginning))?.[1] ?? null;
		super({ ...options, makeWorker: () => signed(makeWorker(), credentialOf) });
		this.#credentials = credentials;
	}

	/** Signs requests for addresses with it from now on. @param {string} beginning @param {Credential | null} credential */
	sign(beginning, credential) {
		this.#credentials.set(beginning, credential);
	}
}
