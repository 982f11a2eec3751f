;; Static data in an area that is read-only for the guest.
(data (i32.const {{call.descriptors}}) "\ff\ff\ff\ff")
