// What every page does on top of plain HTML.
import { listenForKeys } from "./shortcuts.js";
import { followThemeForm } from "./theme.js";
import { keepTimes } from "./times.js";

followThemeForm();
listenForKeys();
keepTimes();
