/** What this browser keeps between visits. */

/** What was kept; null where there is nothing, or the browser keeps nothing. @param {string} key */
export function readStored(key) {
	try {
		return window.localStorage.getItem(key);
	} catch {
		return null;
	}
}

/**
 * Keeps a text in place of the one before, or none.
 * @param {string} key
 * @param {string | null} words
 * @returns {boolean} false where there is no room
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

/** What a text says as JSON; null where it is none. @param {string} source @returns {any} */
export function jsonOf(source) {
	try {
		return JSON.parse(source);
	} catch {
		return null;
	}
}
