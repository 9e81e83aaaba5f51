// What every page does on top of plain HTML.
import { offerBox } from "./box.js";
import { listenForKeys } from "./shortcuts.js";
import { followThemeForm } from "./theme.js";
import { keepTimes } from "./times.js";
import { offerZones } from "./zones.js";

followThemeForm();
listenForKeys();
offerBox();
offerZones();
keepTimes();
