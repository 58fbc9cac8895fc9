/* Passkeys: the browser makes one, or signs with one; the server is asked and told by JSON. */
"use strict";

(() => {
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  async function send(path, token, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", "x-form-token": token },
      body: JSON.stringify(body),
    });
    const content = await answer.json();
    if (content.proof) location.assign(content.proof);
    if (!answer.ok) throw new Error(content.message);
    return content;
  }

  function described(credential) {
    const { response } = credential;
    const given = { clientDataJSON: toText(response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[name]) given[name] = toText(response[name]);
    }
    if (response.getTransports) given.transports = response.getTransports();
    return {
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      response: given,
      clientExtensionResults: credential.getClientExtensionResults(),
      authenticatorAttachment: credential.authenticatorAttachment,
    };
  }

  async function add(token, name) {
    const options = await send("/settings/profile/passkeys/options", token, {});
    options.challenge = toBytes(options.challenge);
    options.user.id = toBytes(options.user.id);
    for (const known of options.excludeCredentials || []) known.id = toBytes(known.id);
    const credential = await navigator.credentials.create({ publicKey: options });
    return send("/settings/profile/passkeys", token, { name, credential: described(credential) });
  }

  async function signIn(token, next) {
    const options = await send("/login/passkey/options", token, {});
    options.challenge = toBytes(options.challenge);
    const credential = await navigator.credentials.get({ publicKey: options });
    return send("/login/passkey", token, { next, credential: described(credential) });
  }

  function offer(place, act, problem) {
    const button = place.querySelector("[data-passkey-button]");
    place.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      problem.hidden = true;
      try {
        location.assign((await act()).next);
      } catch (error) {
        const cancelled = error.name === "NotAllowedError" || error.name === "AbortError";
        problem.textContent = error.name === "InvalidStateError"
          ? "This device has a passkey for you already."
          : cancelled ? "It was broken off. Try again, or use another way." : error.message;
        problem.hidden = false;
        button.disabled = false;
      }
    });
  }

  // A browser knows passkeys on hosts with a name alone, and by TLS or on this machine.
  const hasName = !/^[\d.]+$|:/.test(location.hostname);
  if (!window.PublicKeyCredential || !window.isSecureContext || !hasName) return;
  for (const place of document.querySelectorAll("[data-passkey-sign-in]")) {
    const problem = place.querySelector("[data-passkey-problem]");
    offer(place, () => signIn(place.dataset.token, place.dataset.next), problem);
  }
  for (const place of document.querySelectorAll("[data-passkey-add]")) {
    const problem = place.closest("section").querySelector("[data-passkey-problem]");
    offer(place, () => add(place.dataset.token, place.querySelector("input").value), problem);
  }
})();
