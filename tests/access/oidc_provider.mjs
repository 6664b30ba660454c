// oidc-provider on a free port of 127.0.0.1: access tokens are JWTs with `aud` of the resource and `groups` of the
// client.
//
// Each line of its input is a set of private keys, of which the first of an algorithm signs from then on; it prints its
// address when it does. Clients are `ALGORITHM-GROUP`, of which GROUP is the group of their tokens.
import http from "node:http";
import readline from "node:readline";
import { Provider } from "oidc-provider";

const SECRET = "of-tests-alone";
const CLIENTS = ["RS256", "ES256"].flatMap((algorithm) =>
	["ministry", "strangers"].map((group) => ({
		client_id: `${algorithm}-${group}`,
		client_secret: SECRET,
		grant_types: ["client_credentials"],
		redirect_uris: [],
		response_types: [],
	})),
);

/** Returns the request handler of a provider with these keys. */
const providerOf = (issuer, jwks) =>
	new Provider(issuer, {
		jwks,
		clients: CLIENTS,
		extraTokenClaims: (_context, token) => ({ groups: [token.clientId.split("-")[1]], sub: token.clientId }),
		features: {
			clientCredentials: { enabled: true },
			devInteractions: { enabled: false },
			resourceIndicators: {
				enabled: true,
				getResourceServerInfo: (_context, resource, client) => ({
					scope: "",
					audience: resource.replace("urn:", ""),
					accessTokenFormat: "jwt",
					jwt: { sign: { alg: client.clientId.split("-")[0] } },
				}),
			},
		},
	}).callback();

let answer;
const server = http.createServer((request, response) => answer(request, response));
server.listen(0, "127.0.0.1", () => {
	const issuer = `http://127.0.0.1:${server.address().port}`;
	readline.createInterface({ input: process.stdin }).on("line", (line) => {
		answer = providerOf(issuer, JSON.parse(line));
		process.stdout.write(`${issuer}\n`);
	});
});
