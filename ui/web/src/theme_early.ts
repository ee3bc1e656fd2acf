// SPDX-License-Identifier: Apache-2.0
//
// Runs in the head before the first paint, so that a chosen theme never flashes the other one.
import {applyTheme, storedTheme} from './theme';

applyTheme(storedTheme());
