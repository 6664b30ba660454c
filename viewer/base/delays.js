/** Waits: for a time, or until a condition on signals holds. */
import { effect } from "../vendor/signals-core.js";

const { signal: never } = new AbortController();

/**
 * Waits until something holds, at most `limitMs`.
 * @param {() => boolean} holds reads signals
 * @param {AbortSignal} [stopped]
 * @param {number} [limitMs] @returns {Promise<boolean>} whether it came to hold
 */
export function until(holds, stopped = never, limitMs = Number.POSITIVE_INFINITY) {
	return new Promise((resolve) => {
		let isDone = false;
		const timer = limitMs === Number.POSITIVE_INFINITY ? 0 : window.setTimeout(() => finish(false), limitMs);
		const finish = (/** @type {boolean} */ held) => {
			if (isDone) return;
			isDone = true;
			window.clearTimeout(timer);
			// Without this, each wait would leave a listener: playing waits for every frame.
			stopped.removeEventListener("abort", stop);
			// An effect cannot be taken away while it runs for the first time.
			queueMicrotask(() => watch());
			resolve(held);
		};
		const stop = () => finish(false);
		stopped.addEventListener("abort", stop);
		const watch = effect(() => {
			if (!isDone && holds()) finish(true);
		});
	});
}

/** Returns a function that runs work before the next frame, once for several calls. @param {() => void} run */
export function beforeDrawing(run) {
	let isDue = false;
	const start = () => {
		isDue = false;
		run();
	};
	return () => {
		if (!isDue) requestAnimationFrame(start);
		isDue = true;
	};
}

/** @param {number} ms @param {AbortSignal} stopped */
export const pass = (ms, stopped) => until(() => false, stopped, ms);
