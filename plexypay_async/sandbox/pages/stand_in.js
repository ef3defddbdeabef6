/* A stand-in for the vendor's browser SDK, for tests against the sandbox. It takes a session's id and data, and
 * nothing else: no API key. What it "encrypts" is readable, so it takes test cards alone. What it reports is a
 * browser's word: a shop sends goods when its webhook comes, never before.
 *
 *     const checkout = await PlexyStandIn.create({
 *       environment: "http://127.0.0.1:8790",
 *       session: { id, sessionData },
 *       onPaymentCompleted: (result) => ...,   // { resultCode, sessionData, sessionResult }
 *       onPaymentFailed: (result) => ...,
 *       onError: (error) => ...,
 *     });
 *     checkout.mount("#payment");
 *     // After a redirect, on the page of the returnUrl, made with the same session:
 *     await checkout.submitDetails({ details: { redirectResult } });
 */
"use strict";

const PlexyStandIn = (() => {
  const DONE = ["Authorised", "Received", "Pending"];

  class Checkout {
    constructor(options) {
      this.options = options;
      this.session = options.session;
      this.isPaying = false;
    }

    async call(name, more) {
      const root = this.options.environment.replace(/\/$/, "");
      const path = `/v2/checkoutshopper/v1/sessions/${encodeURIComponent(this.session.id)}/${name}`;
      const answer = await fetch(root + path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ sessionData: this.session.sessionData, ...more }),
      });
      const document = await answer.json();
      if (!answer.ok) {
        throw new Error(document.error ? document.error.message : `HTTP ${answer.status}`);
      }
      return document;
    }

    mount(selector) {
      const place = document.querySelector(selector);
      const form = document.createElement("form");
      const add = (label, name, value) => {
        const line = document.createElement("p");
        const text = document.createElement("label");
        const input = document.createElement("input");
        input.name = name;
        input.value = value;
        input.autocomplete = "off";
        text.append(label, " ", input);
        line.append(text);
        form.append(line);
        return input;
      };
      const number = add("Card number", "number", "");
      const expiry = add("Expiry", "expiry", "12/30");
      const code = add("CVV", "code", "123");
      const button = document.createElement("button");
      const { value, currency } = this.setup.amount;
      button.textContent = `Pay ${(value / 100).toFixed(2)} ${currency}`;
      form.append(button);
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        if (this.isPaying) return;
        this.isPaying = button.disabled = true;
        const [month, year] = expiry.value.split("/");
        await this.submit({
          type: "scheme",
          encryptedCardNumber: `test_${number.value.replace(/\s/g, "")}`,
          encryptedExpiryMonth: `test_${month}`,
          encryptedExpiryYear: `test_${year}`,
          encryptedSecurityCode: `test_${code.value}`,
        });
        this.isPaying = button.disabled = false;
      });
      place.replaceChildren(form);
      return this;
    }

    async submit(paymentMethod) {
      await this.report(() => this.call("payments", { paymentMethod }));
    }

    async submitDetails({ details }) {
      await this.report(() => this.call("paymentDetails", { details }));
    }

    async report(ask) {
      const tell = (name, told) => this.options[name] && this.options[name](told, this);
      let answer;
      try {
        answer = await ask();
      } catch (error) {
        tell("onError", error);
        return;
      }
      const { action, resultCode, sessionData, sessionResult } = answer;
      if (action) {
        location.assign(action.url);
        return;
      }
      const result = { resultCode, sessionData, sessionResult };
      tell(DONE.includes(resultCode) ? "onPaymentCompleted" : "onPaymentFailed", result);
    }
  }

  return {
    async create(options) {
      const checkout = new Checkout(options);
      checkout.setup = await checkout.call("setup", {});
      return checkout;
    },
  };
})();
