/**
 * Loads cubes in workers and stores them: the most urgent first, up to a number of bytes. The least recently used are
 * discarded.
 *
 * A layer calls `want` whenever its list of needed cubes changes, the most urgent first. Requests that no layer needs
 * any more are stopped. There is nothing else to undo.
 *
 * @typedef {import("./worker.js").Answer} Answer
 * @typedef {import("./worker.js").Failure} Failure
 * @typedef {{ z: number, x: number, y: number }} Tile
 * @typedef {{ url: string, tile: Tile, res: 1 | 2, urgency: number, bytes: number }} Wanted
 *   the smallest `urgency` comes first; `bytes` is an estimate
 * @typedef {{ onCube: (url: string, cube: Cube) => void, onFailure: (url: string, failure: Failure) => void }} Owner
 * @typedef {{ id: number, worker: Worker, wanted: Wanted }} Job
 */
import { Cube } from "./decode.js";
import { sourcesOf } from "./reduce.js";

const MIB = 2 ** 20;
/**
 * Maximum numbers of concurrent requests: 6 as browsers have connections per server (HTTP/1.1), 12 over the one
 * connection of HTTP/2 and HTTP/3.
 */
const MAX_REQUESTS = 6;
const MAX_SHARED = 12;
/** Maximum number of requests that are not urgent, so that urgent ones need not wait. */
const MAX_PATIENT = 4;
/** Requests that are not urgent start while at most this number of urgent ones run. */
const LAST_URGENT = 2;
/** Smaller urgencies are for cubes that must be visible soon. */
export const PATIENT = 2;
/** The urgency of cubes that are visible now. */
export const FIRST = 0;
const RETRY_WAITS_MS = [600, 2500];
const PHONE_WIDTH_PX = 768;

/** Cube of a tile that has no data at any date. */
const NOTHING = new Cube(
	/** @type {any} */ ({ times: [], valid: [], blocks: [], w: 0, h: 0, nodata: 0, scale: 1, offset: 0 }),
	new Uint8Array(0),
);

/** Whether a question that failed so may be answered the next time. @param {Failure} failure */
const mayPass = ({ status, isCube }) => isCube || status === 0 || status === 429 || status >= 500;

/** Whether a cube is the requested one. @param {import("./decode.js").Header} header @param {Wanted} wanted */
const isOf = ({ z, x, y, res }, { tile, res: asked }) =>
	String(z) === String(tile.z) && x === tile.x && y === tile.y && res === asked;

/**
 * Starts a worker from this folder; if the page has another origin, through a module of the page that imports it.
 */
function makeOwnWorker() {
	const url = new URL("./worker.js", import.meta.url);
	if (url.origin === globalThis.location?.origin) return new Worker(url, { type: "module" });
	const source = new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" });
	return new Worker(URL.createObjectURL(source), { type: "module" });
}

/**
 * Returns a function for the maximum number of concurrent requests for a cube: the protocol of other servers is
 * unknown.
 * @returns {(url: string) => number}
 */
function mostAtOnce() {
	const [page] = /** @type {any[]} */ (globalThis.performance?.getEntriesByType?.("navigation") ?? []);
	if (!/^h[23]/.test(page?.nextHopProtocol ?? "")) return () => MAX_REQUESTS;
	const pageUrl = new URL(page.name);
	return (url) => (new URL(url, pageUrl).origin === pageUrl.origin ? MAX_SHARED : MAX_REQUESTS);
}

const isPhone = () =>
	Math.min(globalThis.screen?.width ?? Infinity, globalThis.innerWidth ?? Infinity) < PHONE_WIDTH_PX;

export class CubeLoader {
	/** @type {Map<string, Cube>} the least recently used first */
	#cubes = new Map();
	/** @type {Map<string, Failure>} */
	#failures = new Map();
	/** @type {Map<string, number>} how often each was tried in vain */
	#tries = new Map();
	/** @type {Map<string, number>} timers of retries */
	#waiting = new Map();
	/** @type {Map<string, Job>} */
	#jobs = new Map();
	/** @type {Map<Owner, Wanted[]>} */
	#wants = new Map();
	/** @type {Worker[]} */
	#running = [];
	#nextId = 1;
	#isPlanned = false;
	#isHeld = false;

	/**
	 * @param {object} [options]
	 * @param {number} [options.workers] number; by default one less than the machine has cores, at most 4, on phones 2
	 * @param {number} [options.maxBytes] of decoded cubes; by default 256 MiB, on phones 96
	 * @param {() => Worker} [options.makeWorker] starts worker.js, for pages that store it elsewhere
	 */
	constructor({ workers, maxBytes, makeWorker = makeOwnWorker } = {}) {
		const cores = globalThis.navigator?.hardwareConcurrency ?? 2;
		this.maxBytes = maxBytes ?? (isPhone() ? 96 : 256) * MIB;
		this.workers = workers ?? Math.max(1, Math.min(isPhone() ? 2 : 4, cores - 1));
		this.makeWorker = makeWorker;
	}

	/** Bytes of all stored cubes. */
	get bytes() {
		return [...this.#cubes.values()].reduce((sum, cube) => sum + cube.bytes, 0);
	}

	/** Number of running and waiting requests. */
	get pending() {
		return this.#jobs.size + this.#waiting.size;
	}

	/** Returns a loaded cube and marks it as used; undefined if it is not loaded. @param {string} url */
	get(url) {
		const cube = this.#cubes.get(url);
		if (cube) {
			this.#cubes.delete(url);
			this.#cubes.set(url, cube);
		}
		return cube;
	}

	/** Whether a cube is loaded; unlike `get`, this does not mark it as used. @param {string} url */
	has(url) {
		return this.#cubes.has(url);
	}

	/** Returns the failure of a cube. @param {string} url */
	failure(url) {
		return this.#failures.get(url);
	}

	/** Replaces the list of cubes that an owner needs. @param {Owner} owner @param {Wanted[]} wanted */
	want(owner, wanted) {
		this.#wants.set(owner, wanted);
		this.#plan();
	}

	/** Removes an owner; it is not called any more. @param {Owner} owner */
	leave(owner) {
		this.#wants.delete(owner);
		this.#plan();
	}

	/** Starts no requests while `isHeld`; running ones that are still needed complete. @param {boolean} isHeld */
	hold(isHeld) {
		this.#isHeld = isHeld;
		this.#plan();
	}

	/** Starts a worker before there is work for it. */
	prepare() {
		if (this.#running.length === 0) this.#worker();
	}

	/** Requests failed cubes again. */
	retry() {
		for (const timer of this.#waiting.values()) clearTimeout(timer);
		for (const each of [this.#failures, this.#tries, this.#waiting]) each.clear();
		this.#plan();
	}

	/** Requests incomplete cubes again, without the browser's cache. @param {string[]} urls */
	renew(urls) {
		for (const url of urls) {
			this.#cubes.delete(url);
			this.#tries.set(url, 0);
		}
		this.#plan();
	}

	/** Discards the copies of cubes whose gaps are filled. */
	forgetFilled() {
		for (const cube of this.#cubes.values()) cube.forgetFilled();
	}

	/** Ends the workers and forgets all. */
	close() {
		for (const timer of this.#waiting.values()) clearTimeout(timer);
		for (const worker of this.#running) worker.terminate();
		this.#running = [];
		for (const each of [this.#cubes, this.#failures, this.#tries, this.#waiting, this.#jobs, this.#wants]) each.clear();
	}

	/** Schedules requests once for all changes in the same task. */
	#plan() {
		if (this.#isPlanned) return;
		this.#isPlanned = true;
		queueMicrotask(() => {
			this.#isPlanned = false;
			this.#schedule();
		});
	}

	#schedule() {
		const cubesByUrl = this.#merged();
		const kept = this.#affordable(cubesByUrl);
		for (const url of [...this.#jobs.keys()]) if (!kept.has(url)) this.#stop(url);
		for (const [url, timer] of this.#waiting) {
			if (kept.has(url)) continue;
			clearTimeout(timer);
			this.#waiting.delete(url);
		}
		for (const url of this.#failures.keys())
			if (!cubesByUrl.has(url)) for (const each of [this.#failures, this.#tries]) each.delete(url);
		this.#evict(kept);
		if (this.#isHeld) return;
		const isKnown = (/** @type {string} */ url) =>
			this.#cubes.has(url) || this.#failures.has(url) || this.#jobs.has(url) || this.#waiting.has(url);
		const missing = [...kept].filter((url) => !isKnown(url)).map((url) => /** @type {Wanted} */ (cubesByUrl.get(url)));
		const hasSecond = missing.some(({ urgency }) => urgency > FIRST && urgency < PATIENT);
		const mostOf = mostAtOnce();
		for (const each of missing) {
			const most = mostOf(each.url);
			if (this.#jobs.size >= most) return;
			if (this.#mayStart(each, most, hasSecond)) this.#start(each);
		}
	}

	/**
	 * Whether one more request of its urgency may run.
	 * @param {Wanted} wanted
	 * @param {number} most maximum number of concurrent requests
	 * @param {boolean} hasSecond whether an urgent cube that is not visible now is waiting
	 */
	#mayStart({ urgency }, most, hasSecond) {
		const on = [...this.#jobs.values()].map(({ wanted }) => wanted.urgency);
		// One request stays free for the second urgency: the server needs longer for these cubes.
		if (urgency === FIRST) return !hasSecond || on.filter((each) => each === FIRST).length < most - 1;
		if (urgency < PATIENT) return true;
		const urgent = on.filter((each) => each < PATIENT).length;
		return urgent <= LAST_URGENT && on.length - urgent < (urgent > 0 ? 1 : MAX_PATIENT);
	}

	/** Returns the cubes of all owners, the most urgent first. @returns {Map<string, Wanted>} */
	#merged() {
		const all = [...this.#wants.values()].flat().sort((one, other) => one.urgency - other.urgency);
		/** @type {Map<string, Wanted>} */
		const merged = new Map();
		for (const each of all) if (!merged.has(each.url)) merged.set(each.url, each);
		return merged;
	}

	/** Returns the most urgent cubes that fit into memory. @param {Map<string, Wanted>} wanted @returns {Set<string>} */
	#affordable(wanted) {
		let bytesLeft = this.maxBytes;
		const kept = new Set();
		for (const [url, { bytes }] of wanted) {
			bytesLeft -= this.#cubes.get(url)?.bytes ?? bytes;
			if (bytesLeft < 0) break;
			kept.add(url);
		}
		return kept;
	}

	/** Discards cubes until the limit is met. @param {Set<string>} kept */
	#evict(kept) {
		let over = this.bytes - this.maxBytes;
		for (const [url, cube] of this.#cubes) {
			if (over <= 0) return;
			if (kept.has(url)) continue;
			over -= cube.bytes;
			this.#cubes.delete(url);
		}
	}

	/** @param {Wanted} wanted */
	#start(wanted) {
		const { url } = wanted;
		const worker = this.#worker();
		const id = this.#nextId++;
		this.#jobs.set(url, { id, worker, wanted });
		// The failure may come from a cached copy.
		worker.postMessage({ id, url, cache: this.#tries.has(url) ? "reload" : "default", held: this.#heldOf(url) });
	}

	/** Returns the loaded cubes of which a cube of periods is made; the worker gets copies. @param {string} url */
	#heldOf(url) {
		return sourcesOf(url).flatMap((source) => {
			const cube = source === url ? undefined : this.get(source);
			return cube ? [{ url: source, header: cube.header, numbers: cube.numbers }] : [];
		});
	}

	/** @param {string} url */
	#stop(url) {
		const { id, worker } = /** @type {Job} */ (this.#jobs.get(url));
		worker.postMessage({ id, stop: true });
		this.#jobs.delete(url);
	}

	/** @param {Worker} worker */
	#jobsOf(worker) {
		return [...this.#jobs.values()].filter((job) => job.worker === worker);
	}

	/** Returns an idle worker, a new one if the limit allows it, or the least busy one. @returns {Worker} */
	#worker() {
		const countOf = (/** @type {Worker} */ each) => this.#jobsOf(each).length;
		const [least] = this.#running.toSorted((one, other) => countOf(one) - countOf(other));
		if (least && (countOf(least) === 0 || this.#running.length >= this.workers)) return least;
		const worker = this.makeWorker();
		worker.addEventListener("message", ({ data }) => this.#take(data));
		worker.addEventListener("error", ({ message }) => this.#break(worker, message));
		this.#running.push(worker);
		return worker;
	}

	/** Ends the jobs of a worker that does not start or run. @param {Worker} worker @param {string} message */
	#break(worker, message) {
		this.#running = this.#running.filter((each) => each !== worker);
		worker.terminate();
		const failure = { message: message ?? "", status: 0, isCube: false };
		for (const { id } of this.#jobsOf(worker)) this.#take({ id, failure });
	}

	/** @param {Answer} answer */
	#take(answer) {
		const job = [...this.#jobs.values()].find(({ id }) => id === answer.id);
		if (!job) return;
		const { wanted } = job;
		const { url } = wanted;
		this.#jobs.delete(url);
		if ("failure" in answer) this.#fail(url, answer.failure);
		else if (answer.header && !isOf(answer.header, wanted)) {
			this.#fail(url, { message: "not the requested cube tile", status: 200, isCube: true });
		} else {
			const { header, numbers, counts } = answer;
			const cube = header && numbers ? new Cube(header, numbers, counts) : NOTHING;
			this.#tries.delete(url);
			this.#cubes.set(url, cube);
			for (const owner of this.#ownersOf(url)) owner.onCube(url, cube);
		}
		this.#plan();
	}

	/** @param {string} url @param {Failure} failure */
	#fail(url, failure) {
		const tries = this.#tries.get(url) ?? 0;
		this.#tries.set(url, tries + 1);
		if (mayPass(failure) && tries < RETRY_WAITS_MS.length) {
			const again = () => {
				this.#waiting.delete(url);
				this.#plan();
			};
			this.#waiting.set(url, /** @type {any} */ (setTimeout(again, RETRY_WAITS_MS[tries])));
			return;
		}
		this.#failures.set(url, failure);
		for (const owner of this.#ownersOf(url)) owner.onFailure(url, failure);
	}

	/** @param {string} url */
	#ownersOf(url) {
		return [...this.#wants].filter(([, wanted]) => wanted.some((each) => each.url === url)).map(([owner]) => owner);
	}
}
