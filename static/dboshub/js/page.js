// What every page does on top of plain HTML.
import { listenForKeys } from "./shortcuts.js";
import { followThemeForm } from "./theme.js";
import { keepTimes } from "./times.js";
import { offerZones } from "./zones.js";

followThemeForm();
listenForKeys();
offerZones();
keepTimes();
