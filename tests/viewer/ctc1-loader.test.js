import assert from "node:assert/strict";
import { test } from "node:test";
import { CubeLoader, PATIENT } from "../../viewer/ctc1/loader.js";

/** A worker that is asked, and answers what the test lets it. */
class Desk extends EventTarget {
	/** @type {{ id: number, url: string }[]} */
	asked = [];

	/** @param {any} order */
	postMessage(order) {
		if (!order.stop) this.asked.push(order);
	}

	/** Answers that the tile has nothing. @param {string} url */
	answer(url) {
		const at = this.asked.findIndex((order) => order.url === url);
		const [{ id }] = this.asked.splice(at, 1);
		this.dispatchEvent(new MessageEvent("message", { data: { id, header: null, numbers: null } }));
	}

	terminate() {}
}

const settled = () => new Promise((done) => setImmediate(done));

test("what is urgent has the line to itself but for one, and leaves it to the others", async () => {
	const desk = new Desk();
	const loader = new CubeLoader({ workers: 1, makeWorker: () => /** @type {any} */ (desk) });
	const wanted = (/** @type {string} */ url, /** @type {number} */ urgency) => ({
		url,
		urgency,
		tile: { z: 0, x: 0, y: 0 },
		res: /** @type {const} */ (1),
		bytes: 1,
	});
	const urgent = ["a", "b", "c", "d"].map((url) => wanted(url, 1));
	const patient = ["1", "2", "3", "4", "5", "6"].map((url) => wanted(url, PATIENT));
	const owner = { onCube: () => {}, onFailure: () => {} };

	loader.want(owner, [...patient, ...urgent]);
	await settled();
	assert.deepEqual(desk.asked.map(({ url }) => url).sort(), ["1", "a", "b", "c", "d"]);

	for (const url of ["a", "b", "1"]) desk.answer(url);
	await settled();
	assert.deepEqual(desk.asked.map(({ url }) => url).sort(), ["2", "c", "d"]);

	for (const url of ["c", "d"]) desk.answer(url);
	await settled();
	assert.deepEqual(desk.asked.map(({ url }) => url).sort(), ["2", "3", "4", "5"]);
	loader.close();
});
