/** What a page of `pages/` draws: `node draw.mjs PAGE.js '{"base": …}'` prints the JSON that its `draw` gives. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "../viewer/browser/harness.mjs";

const [page, asked] = process.argv.slice(2);
const folder = join(dirname(fileURLToPath(import.meta.url)), "pages");
const { outputFiles } = await build({
	entryPoints: [join(folder, page)],
	bundle: true,
	write: false,
	logLevel: "error",
});
const browser = await chromium.launch({ executablePath: await findChromium(), args: FLAGS });
try {
	const tab = await browser.newPage({ deviceScaleFactor: 1 });
	const faults = [];
	tab.on("pageerror", (error) => faults.push(String(error)));
	tab.on("requestfailed", (request) => {
		const reason = request.failure()?.errorText;
		// A page that goes on to another time lets go of the pictures it still waited for.
		if (reason !== "net::ERR_ABORTED") faults.push(`${request.url()}: ${reason}`);
	});
	tab.setDefaultTimeout(30_000);
	await tab.addScriptTag({ content: outputFiles[0].text });
	const drawn = tab.evaluate((what) => window.draw(what), JSON.parse(asked));
	const late = new Promise((_, reject) => setTimeout(() => reject(new Error("nothing drawn in 60 s")), 60_000).unref());
	process.stdout.write(JSON.stringify({ ...(await Promise.race([drawn, late])), faults }));
} finally {
	await browser.close();
}
