# Inicio de sesión y segundo factor.
sign-in = Iniciar sesión
sign-in-wrong = El nombre, la contraseña o el código no es correcto.
sign-in-logged = Todo acceso a una historia clínica queda registrado, y el paciente puede leer el registro.
username = Nombre de usuario
password = Contraseña
code = Código
code-hint = Las seis cifras de su aplicación de autenticación.
code-optional = Código (opcional)
code-optional-hint = Si lo escribe ahora, no se le volverá a pedir durante cinco minutos.
throttled = { $minutes ->
    [one] Demasiados intentos. Espere { $minutes } minuto.
   *[other] Demasiados intentos. Espere { $minutes } minutos.
}
step-up-title = Confirme que es usted
step-up-other-organisations = Va a consultar a otros hospitales. Solo responden si ha confirmado su identidad en los últimos cinco minutos.
step-up-break-glass = El acceso de emergencia necesita un segundo factor confirmado en los últimos cinco minutos.
step-up-permission = Va a decidir quién puede ver su historia clínica. Confirme que es usted.
step-up-change = Esto cambia cómo trabaja el hospital con los demás. Confirme que es usted.
step-up-app = Una aplicación pide asegurarse de que es usted. Confírmelo, por favor.
step-up-returns = Después volverá a donde estaba.
not-now = Ahora no
