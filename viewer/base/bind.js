/** What follows signals: elements, and what waits for them. */
import { effect, untracked } from "../vendor/signals-core.js";

/**
 * Keeps properties of an element as `read` gives them from signals; `data` and `aria` attributes by their properties, too.
 * @template {Element} E @param {E} element @param {() => Partial<E>} read
 */
export const bind = (element, read) => effect(() => void Object.assign(element, read()));

/** Does something once, as soon as signals say so. @param {() => boolean | undefined} isDue @param {() => void} run */
export function once(isDue, run) {
	const stop = effect(() => {
		if (!isDue()) return;
		queueMicrotask(() => stop());
		untracked(run);
	});
}
