// Runs the search of the built site in Node, as its page runs it in a web worker.
// node search.mjs SITE < JSON list of queries > JSON object: query to locations of the results, best first
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";

const site = process.argv[2];
const folder = join(site, "assets", "javascripts", "workers");
const worker = readdirSync(folder).find((name) => name.startsWith("search.") && name.endsWith(".js"));
const data = JSON.parse(readFileSync(join(site, "search.json"), "utf8"));

let receive;
const self = { postMessage: (message) => receive(message) };
vm.runInNewContext(readFileSync(join(folder, worker), "utf8"), {
	self,
	Intl,
	Map,
	Set,
	URL,
	console,
	performance,
	setTimeout,
	structuredClone,
});

/** Sends a message to the worker and returns its answer. */
const send = (message) =>
	new Promise((resolve) => {
		receive = resolve;
		self.onmessage({ data: message });
	});

const SETUP = 0,
	QUERY = 2;
await send({ type: SETUP, data });
const results = {};
for (const input of JSON.parse(readFileSync(0, "utf8"))) {
	const answer = await send({ type: QUERY, data: { input, filter: { input: [], aggregation: { input: [] } } } });
	results[input] = answer.data.items.map((item) => data.items[item.id].location);
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
