/** Storage of the browser between visits. */

/** Returns a stored text; null if there is none, or the browser has no storage. @param {string} key */
export function readStored(key) {
	try {
		return window.localStorage.getItem(key);
	} catch {
		return null;
	}
}

/**
 * Replaces a stored text, or removes it.
 * @param {string} key
 * @param {string | null} words
 * @returns {boolean} false if there is not enough space
 */
export function store(key, words) {
	try {
		if (words === null) window.localStorage.removeItem(key);
		else window.localStorage.setItem(key, words);
		return true;
	} catch {
		return false;
	}
}

/** Parses a text as JSON; null if invalid. @param {string} source @returns {any} */
export function jsonOf(source) {
	try {
		return JSON.parse(source);
	} catch {
		return null;
	}
}
