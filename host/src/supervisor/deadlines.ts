/** How long a supervisor waits for whom. */
/** A process works this soon after its start: it makes its memory, its ports and its NFs. */
export const START_MS = 60_000;
export const TELL_MS = 10_000;
/** A vswitch waits 2 s at most for what is under way. */
export const STOP_MS = 10_000;
/** From the answer to `stop` to the end of the process. */
export const EXIT_MS = 5_000;
export const POLL_MS = 300;
/** To an agent that is being connected to again and again. */
export const CONNECT_MS = 5_000;
export const DISK_AGAIN_MS = 500;
/** To be whole again after a supervisor has taken over. */
export const ADOPT_MS = 10_000;
