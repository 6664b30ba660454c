/**
 * A separate `chronotile serve` for a measurement, and the processor time of its processes.
 *
 * @typedef {{ command: string[], configuration: string, scratch: string }} Ground how servers are started
 * @typedef {{ base: string, port: number, pid: number, stop: () => Promise<void> }} Server
 */
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const STARTS_WITHIN_MS = 60_000;
/** USER_HZ, which is 100 on every Linux. */
const TICKS_PER_S = 100;

/** @returns {Promise<number>} */
const freePort = () =>
	new Promise((resolve) => {
		const listener = createServer().listen(0, "127.0.0.1", () => {
			const { port } = /** @type {import("node:net").AddressInfo} */ (listener.address());
			listener.close(() => resolve(port));
		});
	});

/** Starts two workers with empty caches. @param {Ground} ground @returns {Promise<Server>} */
export async function startServer({ command, configuration, scratch }) {
	const port = await freePort();
	const folder = mkdtempSync(join(scratch, "server-"));
	const log = openSync(join(folder, "log"), "a");
	const [program, ...first] = command;
	const args = [...first, "serve", configuration, "--port", String(port), "--workers", "2"];
	const env = {
		...process.env,
		CHRONOTILE_CACHE_DIR: join(folder, "cache"),
	};
	const child = spawn(program, args, { stdio: ["ignore", log, log], env });
	const base = `http://127.0.0.1:${port}/`;
	const ended = new Promise((resolve) => child.once("exit", resolve));
	const until = Date.now() + STARTS_WITHIN_MS;
	while (
		!(await fetch(`${base}layers`).then(
			({ ok }) => ok,
			() => false,
		))
	) {
		if (Date.now() > until || child.exitCode !== null) throw new Error(`the server did not start: see ${folder}/log`);
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	const stop = async () => {
		child.kill("SIGTERM");
		await ended;
	};
	return { base, port, pid: /** @type {number} */ (child.pid), stop };
}

/** Processor seconds of a process and its descendants so far. @param {number} pid */
export function cpuSeconds(pid) {
	/** @type {Map<number, { parent: number, ticks: number }>} */
	const all = new Map();
	for (const name of readdirSync("/proc")) {
		if (!/^\d+$/.test(name)) continue;
		try {
			const fields = readFileSync(`/proc/${name}/stat`, "utf8")
				.replace(/^.*\) /s, "")
				.split(" ");
			all.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
		} catch {
			// It has ended since the listing.
		}
	}
	const isBelow = (/** @type {number} */ each) => {
		for (let at = each; at > 1; at = all.get(at)?.parent ?? 0) if (at === pid) return true;
		return false;
	};
	return [...all].reduce((sum, [each, { ticks }]) => sum + (isBelow(each) ? ticks : 0), 0) / TICKS_PER_S;
}
