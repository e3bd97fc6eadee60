# SPDX-License-Identifier: Apache-2.0
# The part Python compiles at every start; standin.py is cached as bytecode because it is imported.
import standin

standin.main()
