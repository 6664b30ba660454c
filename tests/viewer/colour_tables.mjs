/** Writes the tables of the cases in a file, `[{ legend, colouring, numbers }]`, one after the other as bytes into another. */
import { readFile, writeFile } from "node:fs/promises";
import { makeTable } from "../../viewer/base/colours.js";

const [, , from, to] = process.argv;
const tables = JSON.parse(await readFile(from, "utf8")).map(
	(/** @type {{ legend: any, colouring: any, numbers: any }} */ { legend, colouring, numbers }) =>
		Buffer.from(makeTable(legend, colouring, numbers).buffer),
);
await writeFile(to, Buffer.concat(tables));
