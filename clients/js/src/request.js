/** Requests to a chronotile server. @typedef {import("./credential.js").Credential} Credential */

/** A failed request, with the reason. */
export class RequestError extends Error {
	/** @param {string} message @param {number} status of HTTP; 0 without an answer */
	constructor(message, status) {
		super(message);
		this.name = "RequestError";
		this.status = status;
	}
}

/**
 * @param {string} server its address, with or without a path
 * @param {string} path
 * @param {Record<string, string | number>} [parameters] empty ones are omitted
 */
export function urlOf(server, path, parameters = {}) {
	const url = new URL(path, new URL(server.endsWith("/") ? server : `${server}/`, globalThis.document?.baseURI));
	for (const [key, value] of Object.entries(parameters)) if (value !== "") url.searchParams.set(key, String(value));
	return url;
}

/**
 * @param {URL} url
 * @param {AbortSignal} [signal]
 * @param {Credential | null} [credential]
 * @returns {Promise<any>}
 * @throws {RequestError}
 */
export async function fetchJson(url, signal, credential = null) {
	const send = (/** @type {Record<string, string>} */ headers) =>
		fetch(url, { headers, signal }).catch((error) => {
			throw signal?.aborted ? error : new RequestError(`${url.origin} does not answer`, 0);
		});
	const answer = await (credential ? credential.sign(url.href, send, ({ status }) => status === 401) : send({}));
	const body = await answer.json().catch(() => null);
	if (answer.ok && body !== null) return body;
	const why = body?.detail ?? body?.title ?? `status ${answer.status}`;
	throw new RequestError(`${url.origin}: ${why}`, answer.status);
}
