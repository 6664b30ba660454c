/** Decodes the golden files in the browser, and sends the results to the server of the page. */
// The server of the test serves the folder of the decoder at this path, too.
import { decodeCube } from "../../../../viewer/ctc1/decode.js";

/** @param {string} name */
async function decode(name) {
	const bytes = new Uint8Array(await (await fetch(`/golden/${name}`)).arrayBuffer());
	try {
		const cube = decodeCube(bytes);
		const frames = Array.from({ length: cube.count }, (_, index) => {
			const numbers = cube.numbersAt(index);
			return { numbers: Array.from(numbers), values: Array.from(numbers, (number) => cube.valueOf(number)) };
		});
		return { width: cube.header.w, frames };
	} catch (error) {
		return { error: String(/** @type {Error} */ (error).message) };
	}
}

/** @type {string[]} */

const names = await (await fetch("/golden/")).json();
/** @type {Record<string, unknown>} */
const found = { agent: navigator.userAgent };
for (const name of names) found[name] = await decode(name);
await fetch("/found", { method: "POST", body: JSON.stringify(found) });
