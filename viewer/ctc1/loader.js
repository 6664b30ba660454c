/**
 * Loads cubes in workers and keeps them: those that are wanted first, up to so many bytes, the least recently used go.
 *
 * Who shows cubes says again and again which ones it wants now, the most urgent first (`want`); what nobody wants any
 * more is stopped. Nothing else needs to be undone.
 *
 * @typedef {import("./worker.js").Answer} Answer
 * @typedef {import("./worker.js").Failure} Failure
 * @typedef {{ z: number, x: number, y: number }} Tile
 * @typedef {{ url: string, tile: Tile, res: 1 | 2, urgency: number, bytes: number }} Wanted
 *   the least `urgency` comes first; `bytes` is a guess
 * @typedef {{ onCube: (url: string, cube: Cube) => void, onFailure: (url: string, failure: Failure) => void }} Owner
 * @typedef {{ id: number, worker: Worker, wanted: Wanted }} Job
 */
import { Cube } from "./decode.js";
import { sourcesOf } from "./reduce.js";

const MIB = 2 ** 20;
/** As many as browsers have connections to a server, and twice as many over one connection for all (HTTP/2, HTTP/3). */
const MAX_REQUESTS = 6;
const MAX_SHARED = 12;
/** Of them only so many for what is not urgent, so that what is need not wait. */
const MAX_PATIENT = 4;
/**
 * The first of those is asked for when no more than so many urgent ones are on their way, which shall have the line.
 */
const LAST_URGENT = 2;
/** Urgencies below this one are of what shall be seen at once. */
export const PATIENT = 2;
/** The urgency of what is shown now. */
export const FIRST = 0;
const RETRY_WAITS_MS = [600, 2500];
const PHONE_WIDTH_PX = 768;

/** Of a tile that has nothing at any of its dates. */
const NOTHING = new Cube(
	/** @type {any} */ ({ times: [], valid: [], blocks: [], w: 0, h: 0, nodata: 0, scale: 1, offset: 0 }),
	new Uint8Array(0),
);

/** Whether a question that failed so may be answered the next time. @param {Failure} failure */
const mayPass = ({ status, isCube }) => isCube || status === 0 || status === 429 || status >= 500;

/** Whether a cube is the one that was asked for. @param {import("./decode.js").Header} header @param {Wanted} wanted */
const isOf = ({ z, x, y, res }, { tile, res: asked }) =>
	String(z) === String(tile.z) && x === tile.x && y === tile.y && res === asked;

/**
 * A worker from this folder; where the page is of another origin, through a module of the page's own that imports it.
 */
function makeOwnWorker() {
	const url = new URL("./worker.js", import.meta.url);
	if (url.origin === globalThis.location?.origin) return new Worker(url, { type: "module" });
	const source = new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" });
	return new Worker(URL.createObjectURL(source), { type: "module" });
}

/**
 * Says of a cube how many may be on their way to its server: how another than the page's speaks is not known.
 * @returns {(url: string) => number}
 */
function mostAtOnce() {
	const [page] = /** @type {any[]} */ (globalThis.performance?.getEntriesByType?.("navigation") ?? []);
	if (!/^h[23]/.test(page?.nextHopProtocol ?? "")) return () => MAX_REQUESTS;
	const own = new URL(page.name);
	return (url) => (new URL(url, own).origin === own.origin ? MAX_SHARED : MAX_REQUESTS);
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
	/** @type {Map<string, number>} timers of what is tried again */
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
	 * @param {number} [options.workers] how many; by default one less than the machine has cores, at most 4, on phones 2
	 * @param {number} [options.maxBytes] of decoded cubes; by default 256 MiB, on phones 96
	 * @param {() => Worker} [options.makeWorker] of worker.js, for pages that keep it elsewhere
	 */
	constructor({ workers, maxBytes, makeWorker = makeOwnWorker } = {}) {
		const cores = globalThis.navigator?.hardwareConcurrency ?? 2;
		this.maxBytes = maxBytes ?? (isPhone() ? 96 : 256) * MIB;
		this.workers = workers ?? Math.max(1, Math.min(isPhone() ? 2 : 4, cores - 1));
		this.makeWorker = makeWorker;
	}

	/** Bytes of all cubes that are kept. */
	get bytes() {
		return [...this.#cubes.values()].reduce((sum, cube) => sum + cube.bytes, 0);
	}

	/** How many are on their way or waited for. */
	get pending() {
		return this.#jobs.size + this.#waiting.size;
	}

	/** A cube that is here; undefined when it is not. @param {string} url */
	get(url) {
		const cube = this.#cubes.get(url);
		if (cube) {
			this.#cubes.delete(url);
			this.#cubes.set(url, cube);
		}
		return cube;
	}

	/** Whether a cube is here; unlike `get` that is no use of it. @param {string} url */
	has(url) {
		return this.#cubes.has(url);
	}

	/** Why one did not come. @param {string} url */
	failure(url) {
		return this.#failures.get(url);
	}

	/** What an owner needs now, in place of what it needed before. @param {Owner} owner @param {Wanted[]} wanted */
	want(owner, wanted) {
		this.#wants.set(owner, wanted);
		this.#plan();
	}

	/** An owner needs nothing any more, and hears nothing. @param {Owner} owner */
	leave(owner) {
		this.#wants.delete(owner);
		this.#plan();
	}

	/** Asks for nothing new while it is held; what is on its way and still wanted comes. @param {boolean} isHeld */
	hold(isHeld) {
		this.#isHeld = isHeld;
		this.#plan();
	}

	/** Starts a worker before there is work for it. */
	prepare() {
		if (this.#running.length === 0) this.#worker();
	}

	/** Tries again what failed. */
	retry() {
		for (const timer of this.#waiting.values()) clearTimeout(timer);
		for (const each of [this.#failures, this.#tries, this.#waiting]) each.clear();
		this.#plan();
	}

	/** Asks anew for cubes that lack something, past copies that are kept. @param {string[]} urls */
	renew(urls) {
		for (const url of urls) {
			this.#cubes.delete(url);
			this.#tries.set(url, 0);
		}
		this.#plan();
	}

	/** Lets go of what was made to show cubes without gaps. */
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

	/** Once for all that is said in one go. */
	#plan() {
		if (this.#isPlanned) return;
		this.#isPlanned = true;
		queueMicrotask(() => {
			this.#isPlanned = false;
			this.#schedule();
		});
	}

	#schedule() {
		const wanted = this.#merged();
		const kept = this.#affordable(wanted);
		for (const url of [...this.#jobs.keys()]) if (!kept.has(url)) this.#stop(url);
		for (const [url, timer] of this.#waiting) {
			if (kept.has(url)) continue;
			clearTimeout(timer);
			this.#waiting.delete(url);
		}
		for (const url of this.#failures.keys())
			if (!wanted.has(url)) for (const each of [this.#failures, this.#tries]) each.delete(url);
		this.#evict(kept);
		if (this.#isHeld) return;
		const isKnown = (/** @type {string} */ url) =>
			this.#cubes.has(url) || this.#failures.has(url) || this.#jobs.has(url) || this.#waiting.has(url);
		const missing = [...kept].filter((url) => !isKnown(url)).map((url) => /** @type {Wanted} */ (wanted.get(url)));
		const hasSecond = missing.some(({ urgency }) => urgency > FIRST && urgency < PATIENT);
		const mostOf = mostAtOnce();
		for (const each of missing) {
			const most = mostOf(each.url);
			if (this.#jobs.size >= most) return;
			if (this.#mayStart(each, most, hasSecond)) this.#start(each);
		}
	}

	/**
	 * Whether one more of its urgency may be on its way.
	 * @param {Wanted} wanted
	 * @param {number} most at once
	 * @param {boolean} hasSecond whether something waits that is urgent and not shown now
	 */
	#mayStart({ urgency }, most, hasSecond) {
		const on = [...this.#jobs.values()].map(({ wanted }) => wanted.urgency);
		// The server makes one of the others meanwhile, which takes longer.
		if (urgency === FIRST) return !hasSecond || on.filter((each) => each === FIRST).length < most - 1;
		if (urgency < PATIENT) return true;
		const urgent = on.filter((each) => each < PATIENT).length;
		return urgent <= LAST_URGENT && on.length - urgent < (urgent > 0 ? 1 : MAX_PATIENT);
	}

	/** What anybody wants, the most urgent first. @returns {Map<string, Wanted>} */
	#merged() {
		const all = [...this.#wants.values()].flat().sort((one, other) => one.urgency - other.urgency);
		/** @type {Map<string, Wanted>} */
		const merged = new Map();
		for (const each of all) if (!merged.has(each.url)) merged.set(each.url, each);
		return merged;
	}

	/** Those that can be held together. @param {Map<string, Wanted>} wanted @returns {Set<string>} */
	#affordable(wanted) {
		let left = this.maxBytes;
		const kept = new Set();
		for (const [url, { bytes }] of wanted) {
			left -= this.#cubes.get(url)?.bytes ?? bytes;
			if (left < 0) break;
			kept.add(url);
		}
		return kept;
	}

	/** Lets go of cubes until there is room again. @param {Set<string>} kept */
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
		// What was wrong once may be a copy that is kept.
		worker.postMessage({ id, url, cache: this.#tries.has(url) ? "reload" : "default", held: this.#heldOf(url) });
	}

	/** Cubes that are here of those that are reduced to one of periods; the worker gets copies. @param {string} url */
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

	/** One that has nothing to do, a new one while there may be more, or that with the least to do. @returns {Worker} */
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

	/** A worker that does not start or run loses its jobs. @param {Worker} worker @param {string} message */
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
