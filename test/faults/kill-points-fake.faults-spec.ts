import { describeKillPoints } from './support/kill-point-suite.js';

describeKillPoints('fake');
