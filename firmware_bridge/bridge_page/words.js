// Why Bluetooth cannot be used here, and what to do about it, in words.

/** Empty where it can be used. */
export async function whyNoBluetooth() {
  if (!window.isSecureContext) {
    return "This page came over plain http, and browsers give Bluetooth to https pages only.\n"
      + "Give the source cert= and key= and open the page with https, "
      + "or use http://localhost over adb reverse.";
  }
  if (!navigator.bluetooth) return whichBrowser();
  const available = await navigator.bluetooth.getAvailability?.().catch(() => true);
  return available === false ? "Bluetooth is off, or this machine has none. Switch it on." : "";
}

function whichBrowser() {
  const agent = navigator.userAgent;
  const isApple = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1);
  if (isApple) {
    return "Safari and all other usual browsers of iPhone and iPad have no Web Bluetooth.\n"
      + "Install the browser Bluefy from the App Store and open this page in it.";
  }
  if (/Linux/.test(agent) && /Chrome/.test(agent) && !/Android/.test(agent)) {
    return "Chrome on Linux has Web Bluetooth switched off.\n"
      + "Switch it on at chrome://flags/#enable-web-bluetooth and restart the browser.";
  }
  return "This browser has no Web Bluetooth.\nOpen the page in Chrome or Edge, on Android or a computer.";
}
