/**
 * A cache of answers by keys that identify requests: each is requested once, unneeded requests are aborted, and the
 * most
 * recent answers are remembered. It depends on neither page nor server.
 */
import { signal } from "../../vendor/signals-core.js";

/** @template T @typedef {{ phase: "loading" | "ready" | "failed", value: T | null, error: Error | null }} Answer */

const MAX_REMEMBERED = 48;

/** @template T */
export class Answers {
	constructor() {
		this.all = signal(/** @type {ReadonlyMap<string, Answer<T>>} */ (new Map()));
		/** @type {Map<string[], AbortController>} */
		this.asking = new Map();
		/** @type {ReadonlySet<string>} */
		this.wanted = new Set();
	}

	/**
	 * @param {string} key
	 * @returns {Answer<T> | undefined} the state of the answer; undefined if it was never requested
	 */
	get(key) {
		return this.all.value.get(key);
	}

	/**
	 * Requests missing answers, and aborts requests that are no longer needed.
	 * @template {{ key: string }} Q
	 * @param {Q[]} wanted
	 * @param {(questions: Q[], signal: AbortSignal) => Promise<T[]>} load returns the answers in the order of the
	 *   questions
	 * @param {(question: Q) => string} [groupOf] questions of one group are requested together
	 */
	follow(wanted, load, groupOf = ({ key }) => key) {
		this.wanted = new Set(wanted.map(({ key }) => key));
		for (const [keys, stopping] of this.asking) {
			if (keys.some((key) => this.wanted.has(key))) continue;
			stopping.abort();
			this.forget(keys);
		}
		const known = this.all.peek();
		const missing = new Map(wanted.filter(({ key }) => !known.has(key)).map((each) => [each.key, each]));
		/** @type {Map<string, Q[]>} */
		const groups = new Map();
		for (const question of missing.values()) {
			const name = groupOf(question);
			groups.set(name, [...(groups.get(name) ?? []), question]);
		}
		for (const group of groups.values()) {
			const keys = group.map(({ key }) => key);
			void this.ask(keys, (signal) => load(group, signal));
		}
	}

	/** @param {string[]} keys @param {(signal: AbortSignal) => Promise<T[]>} load */
	async ask(keys, load) {
		const stopping = new AbortController();
		this.asking.set(keys, stopping);
		const tell = (
			/** @type {Answer<T>["phase"]} */ phase,
			/** @type {T[]} */ values,
			/** @type {Error | null} */ error = null,
		) => {
			if (!stopping.signal.aborted)
				this.set(keys.map((key, index) => [key, { phase, value: values[index] ?? null, error }]));
		};
		tell("loading", []);
		try {
			tell("ready", await load(stopping.signal));
		} catch (error) {
			tell("failed", [], error instanceof Error ? error : new Error(String(error)));
		}
		this.asking.delete(keys);
	}

	/** Stores answers; the oldest unneeded ones are dropped. @param {[string, Answer<T>][]} entries */
	set(entries) {
		const all = new Map(this.all.peek());
		for (const [key] of entries) all.delete(key);
		for (const [key, answer] of entries) all.set(key, answer);
		const free = [...all.keys()].filter((key) => !this.wanted.has(key));
		for (const key of free.slice(0, Math.max(0, all.size - MAX_REMEMBERED))) all.delete(key);
		this.all.value = all;
	}

	/** Removes answers, so that they are requested again. @param {string[]} keys */
	forget(keys) {
		this.all.value = new Map([...this.all.peek()].filter(([key]) => !keys.includes(key)));
	}
}
