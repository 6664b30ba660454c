/**
 * What lasts as long as something else, or follows it: whatever is begun in a scope, or in an effect of `live`, ends
 * with it.
 */
import { effect, signal, untracked } from "../vendor/signals-core.js";

/** What ends all that the innermost scope has begun; null outside of all scopes. @type {(() => void)[] | null} */
let ends = null;

/** Has something done when the scope ends that is open now, if one is. @param {() => void} end */
export function atEnd(end) {
	ends?.push(end);
}

/**
 * @template T
 * @param {() => T} run
 * @returns {{ made: T, end: () => void }} what it gives, and what ends all that it has begun
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
 * An effect. What it has begun ends before it runs again, and it ends with the scope around it.
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
 * Makes something once of each thing in a changing list, and ends what was made of one that is there no more.
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

/** How wide an element is, kept up until the scope ends. @param {Element} element */
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
