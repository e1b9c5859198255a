// Shows what a deployment does as soon as a field is changed. Without it, a button asks for the same.
(() => {
  "use strict";
  const form = document.querySelector("form[data-effect]");
  if (!form) return;
  let asked = 0;
  const look = async () => {
    const mine = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    fields.set("act", "look");
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body: fields });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const effect = page.getElementById("effect");
    if (mine === asked && effect) document.getElementById("effect").replaceChildren(...effect.childNodes);
  };
  form.addEventListener("change", (event) => {
    if (event.target.name !== "reason") look().catch(() => {});
  });
})();
