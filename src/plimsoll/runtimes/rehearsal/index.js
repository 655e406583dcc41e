// The function of a rehearsal (see fleet/rehearsal.py): it touches nothing but the runtime itself.
exports.handler = async () => null;
