/**
 * Lifetimes: everything that is started in a scope, or in an effect of `live`, ends with it.
 */
import { effect, signal, untracked } from "../vendor/signals-core.js";

/** Functions that end the content of the innermost scope; null outside of scopes. @type {(() => void)[] | null} */
let ends = null;

/** Has something done when the scope ends that is open now, if one is. @param {() => void} end */
export function atEnd(end) {
	ends?.push(end);
}

/**
 * @template T
 * @param {() => T} run
 * @returns {{ made: T, end: () => void }} the result, and a function that ends everything started by `run`
 */
function scope(run) {
	const outer = ends;
	/** @type {(() => void)[]} */
	const own = [];
	ends = own;
	try {
		const made = run();
		const end = () => {
			for (const each of own) each();
		};
		return { made, end };
	} finally {
		ends = outer;
	}
}

/**
 * Runs an effect. Its content ends before it runs again, and it ends with the surrounding scope.
 * @param {() => void | (() => void)} run
 * @returns {() => void} stops it
 */
export function live(run) {
	const stop = effect(() => {
		const { made, end } = scope(run);
		return () => {
			end();
			made?.();
		};
	});
	atEnd(stop);
	return stop;
}

/**
 * Calls a function once for each element of a changing list, and ends its content when the element is removed.
 * @template T, R
 * @param {(each: T) => R} make
 * @returns {(all: T[]) => R[]}
 */
export function eachOnce(make) {
	/** @type {Map<T, { made: R, end: () => void }>} */
	const kept = new Map();
	const keep = (/** @type {T[]} */ all) => {
		for (const [each, { end }] of kept) {
			if (all.includes(each)) continue;
			kept.delete(each);
			end();
		}
		return all.map((each) => {
			const one = kept.get(each) ?? untracked(() => scope(() => make(each)));
			kept.set(each, one);
			return one.made;
		});
	};
	atEnd(() => void keep([]));
	return keep;
}

/** Returns the width of an element as a signal, updated until the scope ends. @param {Element} element */
export function widthOf(element) {
	const width = signal(0);
	const watch = new ResizeObserver(() => {
		width.value = element.clientWidth;
	});
	watch.observe(element);
	atEnd(() => watch.disconnect());
	return width;
}

/**
 * Keeps properties of an element as `read` gives them from signals, until the scope ends; `data` and `aria`
 * attributes by their properties, too.
 * @template {Element} E @param {E} element @param {() => Partial<E>} read
 */
export const bind = (element, read) => live(() => void Object.assign(element, read()));
