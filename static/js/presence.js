// While somebody types, the sign-in is kept; after a pause the page is covered, not left: what was
// typed is still there when the PIN, a passkey or the password takes it up again. Loaded as a
// module: its names are its own, whatever the page's other scripts declare.
"use strict";

const cover = document.getElementById("resting");
const ask = cover.querySelector("form");
const problem = cover.querySelector(".errorlist");
const withKey = cover.querySelector("[data-passkey]");
const token = () => document.querySelector("[name=csrfmiddlewaretoken]").value;
const elsewhere = cover.querySelector("[data-elsewhere]");
const TELL_MS = 60000; // typing is told to the server once a minute
const SOON = 300; // seconds before the end at which a page says so

let told = Date.now();
let options = null;
let clock = null;
let typedIn = null; // the form that was last typed in

async function call(url, body) {
  const headers = { Accept: "application/json" };
  if (body) headers["X-CSRFToken"] = token();
  const answer = await fetch(url, { method: body ? "POST" : "GET", headers, body, cache: "no-store" });
  return answer.json();
}

function say(text) {
  problem.hidden = !text;
  problem.firstElementChild.textContent = text;
}

async function close() {
  clearTimeout(clock);
  if (cover.open) return;
  cover.showModal();
  const way = await call(cover.dataset.unlock).catch(() => ({}));
  if (way.over) return over(way.sign_in);
  options = way.passkey ?? null;
  withKey.hidden = !options;
  cover.querySelector("[data-pin]").hidden = !way.pin;
  cover.querySelector("[data-no-pin]").hidden = Boolean(way.pin);
  elsewhere.hidden = !way.elsewhere;
  elsewhere.querySelector("span").textContent = way.elsewhere ?? "";
}

function warn() {
  if (document.getElementById("ends-soon")) return;
  const line = document.createElement("p");
  line.id = "ends-soon";
  line.className = "card ask";
  line.setAttribute("role", "status");
  line.textContent = cover.dataset.soon;
  document.getElementById("main").prepend(line);
}

// The sign-in is over, the page stays covered: what was typed is sent to be kept for its writer.
function over(signIn) {
  clearTimeout(clock);
  const send = typedIn?.method === "post" && typedIn.isConnected ? typedIn : null;
  if (!send) {
    location.assign(`${signIn}?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  cover.setAttribute("aria-labelledby", "over-heading");
  cover.querySelector("[data-again]").hidden = true;
  cover.querySelector("[data-over]").hidden = false;
  cover.querySelector("[data-over] button").onclick = () => HTMLFormElement.prototype.submit.call(send);
  if (!cover.open) cover.showModal();
}

// Asked of the server, which knows of other pages of the same sign-in.
async function look() {
  try {
    const left = await call(cover.dataset.state);
    if (left.over) over(left.sign_in);
    else if (left.rests || left.rests_in <= 0) close();
    else {
      if (left.ends_in < SOON) warn();
      clock = setTimeout(look, (Math.min(left.rests_in, Math.max(left.ends_in - SOON + 1, 60)) + 1) * 1000);
    }
  } catch {
    clock = setTimeout(look, TELL_MS);
  }
}

function typing() {
  if (cover.open || Date.now() - told < TELL_MS) return;
  told = Date.now();
  call(cover.dataset.state, new FormData())
    .then((left) => (left.over ? over(left.sign_in) : left.rests && close()))
    .catch(() => {});
}

async function show(name, value) {
  const body = new FormData();
  body.append(name, value);
  const answer = await call(cover.dataset.unlock, body).catch(() => ({ problem: cover.dataset.away }));
  if (answer.over) over(answer.sign_in);
  say(answer.problem ?? "");
  if (answer.problem || answer.over) return;
  cover.close();
  ask.reset();
  look();
}

ask.addEventListener("submit", (event) => {
  event.preventDefault();
  show("unlock_with", ask.elements.unlock_with.value);
  ask.elements.unlock_with.value = "";
});

withKey.addEventListener("click", async () => {
  try {
    if (!window.webauthnJSON) {
      await new Promise((done, broken) => {
        const script = document.createElement("script");
        script.src = cover.dataset.passkeys;
        script.onload = done;
        script.onerror = broken;
        document.head.append(script);
      });
    }
    show("unlock_credential", JSON.stringify(await window.webauthnJSON.get(options)));
  } catch {
    // Turned down, or no key at hand: the other way is open.
  }
});

// Over to the clinic's own sign-in: the form last typed in goes along, to be kept meanwhile.
elsewhere.addEventListener("click", () => {
  if (typedIn?.method !== "post" || !typedIn.isConnected) return location.reload();
  const sign = document.createElement("input");
  sign.type = "hidden";
  sign.name = "unlock_elsewhere";
  sign.value = "1";
  typedIn.append(sign);
  HTMLFormElement.prototype.submit.call(typedIn);
});

cover.addEventListener("cancel", (event) => event.preventDefault());
document.addEventListener("input", (event) => {
  if (!cover.contains(event.target)) typedIn = event.target.form ?? typedIn;
});
document.addEventListener("keydown", typing);
document.addEventListener("pointerdown", typing);
document.addEventListener("visibilitychange", () => document.hidden || cover.open || look());

document.querySelector("[data-lock]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  call(event.target.action, new FormData()).then(close).catch(() => event.target.submit());
});

look();
