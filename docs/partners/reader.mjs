// Read a Homeward feed from Node (20 or later): open, check, hand over, acknowledge.
//
//   npm install @nats-io/transport-node@3.0 @nats-io/jetstream@3.0 jose@5
//   node reader.mjs northshire-police FOLDER
//
// FOLDER holds the four files of docs/partners.md. Each release is one line of JSON on standard
// output; it ends when nothing is left. Exit 1: something was not ours, and is not acknowledged.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { compactDecrypt, compactVerify, decodeProtectedHeader, importJWK } from "jose";

const [key, folder] = process.argv.slice(2);
const text = (name) => readFileSync(join(folder, name), "utf8");
const json = (name) => JSON.parse(text(name));
const context = json(`${key}.json`);
const mine = await importJWK(json(`${key}.jwk.json`), "ECDH-ES+A256KW");
const { issuer, keys } = json("homeward.jwks.json");

async function verified(jws, typ) {
  const jwk = keys.find((one) => one.kid === decodeProtectedHeader(jws).kid);
  if (!jwk) throw new Error("signed with a key that is not among Homeward's");
  const { payload, protectedHeader } = await compactVerify(
    jws,
    await importJWK(jwk, "Ed25519"),
    { algorithms: ["Ed25519"] },
  );
  if (protectedHeader.typ !== typ) throw new Error("signed as something else");
  return JSON.parse(Buffer.from(payload).toString());
}

async function opened(event) {
  let jws = event.data;
  if (event.type === "homeward.release.v1") {
    const { plaintext } = await compactDecrypt(event.data, mine, {
      keyManagementAlgorithms: ["ECDH-ES+A256KW"],
      contentEncryptionAlgorithms: ["A256GCM"],
    });
    jws = Buffer.from(plaintext).toString();
  } else if (event.type !== "homeward.void.v1") {
    throw new Error(`a type that this program does not know: ${event.type}`);
  }
  const release = event.type === "homeward.release.v1";
  const claims = await verified(jws, release ? "homeward-release+jwt" : "homeward-void+jwt");
  // what stands outside the signature has to stand inside it too
  const wanted = { iss: issuer, aud: key, jti: event.subject, number: event.number };
  for (const [name, value] of Object.entries(wanted)) {
    if (claims[name] !== value) throw new Error(`number ${event.number}: ${name} differs`);
  }
  return { type: event.type, ...claims };
}

const connection = await connect({
  servers: context.url,
  authenticator: nkeyAuthenticator(new TextEncoder().encode(text(`${key}.nk`).trim())),
  inboxPrefix: context.inbox_prefix,
  ...(context.ca ? { tls: { caFile: context.ca } } : {}),
});
try {
  const js = jetstream(connection, { apiPrefix: context.jetstream_api_prefix });
  const consumer = await js.consumers.get(`FEED_${key}`, key);
  for (let left = Infinity; left > 0; ) {
    left = 0;
    for await (const message of await consumer.fetch({ max_messages: 50, expires: 1000 })) {
      const claims = await opened(message.json());
      console.log(JSON.stringify(claims)); // store it here; a repeat has the same `jti`
      await message.ackAck();
      left = message.info.pending;
    }
  }
} catch (error) {
  console.error(`reader: ${error.message}`);
  process.exitCode = 1;
} finally {
  await connection.close();
}
