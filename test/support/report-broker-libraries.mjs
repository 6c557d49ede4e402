// Preloaded into a process, says on stderr when one of the broker's libraries is loaded.
import { registerHooks } from 'node:module';

registerHooks({
  load(url, context, next) {
    const library = /node_modules\/(@nestjs\/microservices|amqplib|amqp-connection-manager)\//.exec(url)?.[1];
    if (library) process.stderr.write(`loaded ${library}\n`);
    return next(url, context);
  },
});
