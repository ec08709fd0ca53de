// The page that asks who is there: a passkey in place of the PIN or password.
"use strict";

const button = document.getElementById("passkey_button");
button.addEventListener("click", async () => {
  const options = JSON.parse(document.getElementById("passkey_options").textContent);
  const field = document.getElementById("unlock_credential");
  try {
    field.value = JSON.stringify(await window.webauthnJSON.get(options));
  } catch {
    return; // turned down, or no key at hand: the other way is open
  }
  field.disabled = false;
  document.getElementById("unlock_with").disabled = true;
  field.form.submit();
});
