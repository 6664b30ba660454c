/**
 * Tokens and API keys, sent to one server alone.
 *
 * @typedef {string | ((refused?: string) => string | Promise<string>)} Token a token or an API key, or a function
 *   that gives
 *   one: called at first, once the token has expired (the claim `exp` of a JSON Web Token), and once after the
 *     server has
 *   refused it (401), with the refused one
 */

/** A token is renewed so long before it expires. */
const LEEWAY_MS = 10_000;

/** When a JSON Web Token expires; never, of another one. @param {string} token */
function expiryOf(token) {
	try {
		const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
		return Number(JSON.parse(atob(claims)).exp ?? Infinity) * 1000;
	} catch {
		return Infinity;
	}
}

export class Credential {
	/** @type {Token} */
	#source;
	#origin;
	#token = "";
	#until = 0;
	/** @type {Promise<void> | null} */
	#renewing = null;

	/** @param {Token} source @param {string} origin of the server */
	constructor(source, origin) {
		this.#source = source;
		this.#origin = origin;
		if (typeof source === "string") [this.#token, this.#until] = [source.trim(), Infinity];
	}

	/**
	 * The token; another one if it has expired, or the server refused it.
	 * @param {string} [refused]
	 * @returns {Promise<string>}
	 */
	async token(refused) {
		const isOver = this.#token === refused || Date.now() > this.#until - LEEWAY_MS;
		if (typeof this.#source === "function" && isOver) {
			this.#renewing ??= this.#renew(this.#source, refused).finally(() => {
				this.#renewing = null;
			});
			await this.#renewing;
		}
		return this.#token;
	}

	/** @param {Exclude<Token, string>} source @param {string} [refused] */
	async #renew(source, refused) {
		this.#token = (await source(refused)).trim();
		this.#until = expiryOf(this.#token);
	}

	/**
	 * What `send` gives with the headers for an address, and again with a new token where the first one is refused.
	 * @template Answer
	 * @param {string} url
	 * @param {(headers: Record<string, string>) => Promise<Answer>} send
	 * @param {(answer: Answer) => boolean} isRefused
	 */
	async sign(url, send, isRefused) {
		if (new URL(url).origin !== this.#origin) return send({});
		const token = await this.token();
		const answer = await send({ Authorization: `Bearer ${token}` });
		if (!isRefused(answer)) return answer;
		const renewed = await this.token(token);
		return renewed === token ? answer : send({ Authorization: `Bearer ${renewed}` });
	}
}
