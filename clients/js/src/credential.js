/**
 * Tokens and API keys, sent to one server only.
 *
 * @typedef {string | ((refused?: string) => string | Promise<string>)} Token a token or an API key, or a function
 *   that returns one. It is called before the first request, after the token has expired (the claim `exp` of a JSON Web
 *   Token), and once after the server has refused the token (401), which is its argument
 */

/** A token is renewed this long before it expires. */
const LEEWAY_MS = 10_000;

/** Expiry of a JSON Web Token; infinity for other tokens. @param {string} token */
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
	 * The token, renewed if it has expired or if the server refused it.
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
	 * Returns the result of `send` with the headers for an address; sends again with a new token if the first is refused.
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
