import assert from "node:assert/strict";
import { test } from "node:test";
import { CubeLoader, FIRST, PATIENT } from "../../../viewer/ctc1/loader.js";

/** A worker that records its requests, and answers under control of the test. */
class Desk extends EventTarget {
	/** @type {{ id: number, url: string, cache: RequestCache }[]} */
	asked = [];
	/** @type {(string | undefined)[]} */
	stopped = [];

	/** @param {any} order */
	postMessage(order) {
		if (!order.stop) {
			this.asked.push(order);
			return;
		}
		this.stopped.push(this.asked.find(({ id }) => id === order.id)?.url);
		this.asked = this.asked.filter(({ id }) => id !== order.id);
	}

	/** Answers that the tile has no data. @param {string} url */
	answer(url) {
		const at = this.asked.findIndex((order) => order.url === url);
		const [{ id }] = this.asked.splice(at, 1);
		this.dispatchEvent(new MessageEvent("message", { data: { id, header: null, numbers: null } }));
	}

	terminate() {}
}

const settled = () => new Promise((done) => setImmediate(done));

const owner = { onCube: () => {}, onFailure: () => {} };

/** @param {string} url @param {number} urgency */
const wanted = (url, urgency) => ({
	url,
	urgency,
	tile: { z: 0, x: 0, y: 0 },
	res: /** @type {const} */ (1),
	bytes: 1,
});

/** Makes a loader with one worker, and a list of its requests. */
function makeAsking() {
	const desk = new Desk();
	const loader = new CubeLoader({ workers: 1, makeWorker: () => /** @type {any} */ (desk) });
	const asked = async () => {
		await settled();
		return desk.asked.map(({ url }) => url).sort();
	};
	return { desk, loader, asked };
}

test("what is urgent has the line to itself until little of it is left", async () => {
	const { desk, loader, asked } = makeAsking();
	const urgent = ["a", "b", "c", "d"].map((url) => wanted(url, 1));
	const patient = ["1", "2", "3", "4", "5", "6"].map((url) => wanted(url, PATIENT));

	loader.want(owner, [...patient, ...urgent]);
	assert.deepEqual(await asked(), ["a", "b", "c", "d"]);

	desk.answer("a");
	assert.deepEqual(await asked(), ["b", "c", "d"]);

	desk.answer("b");
	assert.deepEqual(await asked(), ["1", "c", "d"]);

	desk.answer("1");
	assert.deepEqual(await asked(), ["2", "c", "d"]);

	for (const url of ["c", "d"]) desk.answer(url);
	assert.deepEqual(await asked(), ["2", "3", "4", "5"]);
	loader.close();
});

test("what lacks something is asked for anew, past the copies that are kept", async () => {
	const { desk, loader, asked } = makeAsking();
	loader.want(owner, [wanted("a", FIRST), wanted("b", FIRST)]);
	await settled();
	for (const url of ["a", "b"]) desk.answer(url);

	loader.renew(["a"]);

	assert.deepEqual(await asked(), ["a"]);
	assert.deepEqual(
		desk.asked.map(({ cache }) => cache),
		["reload"],
	);
	assert.ok(loader.has("b") && !loader.has("a"));
	loader.close();
});

test("the first of what is urgent next is asked for beside what is shown now", async () => {
	const { desk, loader, asked } = makeAsking();
	const dates = ["a", "b", "c", "d", "e", "f", "g"].map((url) => wanted(url, FIRST));
	const years = ["1", "2", "3"].map((url) => wanted(url, 1));

	loader.want(owner, [...dates, ...years]);
	assert.deepEqual(await asked(), ["1", "a", "b", "c", "d", "e"]);

	desk.answer("a");
	assert.deepEqual(await asked(), ["1", "b", "c", "d", "e", "f"]);

	for (const url of ["b", "c"]) desk.answer(url);
	assert.deepEqual(await asked(), ["1", "2", "d", "e", "f", "g"]);
	loader.close();
});

test("what is shown now has all of the line where nothing else is urgent", async () => {
	const { loader, asked } = makeAsking();
	const dates = ["a", "b", "c", "d", "e", "f", "g"].map((url) => wanted(url, FIRST));

	loader.want(owner, [...dates, wanted("1", PATIENT)]);
	assert.deepEqual(await asked(), ["a", "b", "c", "d", "e", "f"]);
	loader.close();
});

test("over HTTP/2 twice as many go to the page's own server, most of them of what is shown now", async (t) => {
	const page = { name: "https://maps.example/viewer/", nextHopProtocol: "h2" };
	t.mock.method(performance, "getEntriesByType", () => [page]);
	const ofNow = Array.from({ length: 14 }, (_, index) => String.fromCharCode(97 + index));
	const counts = async (/** @type {string} */ server) => {
		const { loader, asked } = makeAsking();
		const all = [...ofNow.map((name) => wanted(server + name, FIRST)), wanted(`${server}next`, 1)];
		loader.want(owner, all);
		const urls = await asked();
		loader.close();
		return [urls.length, urls.filter((url) => url.endsWith("next")).length];
	};

	assert.deepEqual(await counts("/cubes/"), [12, 1]);
	assert.deepEqual(await counts("https://cubes.example/"), [6, 1]);
});

test("while it is held nothing new is asked for, and what nobody wants any more is stopped", async () => {
	const { desk, loader, asked } = makeAsking();
	loader.want(owner, [wanted("year", 1), wanted("next year", PATIENT)]);
	assert.deepEqual(await asked(), ["next year", "year"]);

	loader.hold(true);
	loader.want(owner, [wanted("year", 1), wanted("another", FIRST)]);
	await settled();
	assert.deepEqual(desk.stopped, ["next year"]);
	assert.deepEqual(await asked(), ["year"]);
	desk.answer("year");
	assert.ok(loader.has("year"));

	loader.hold(false);
	assert.deepEqual(await asked(), ["another"]);
	loader.close();
});
